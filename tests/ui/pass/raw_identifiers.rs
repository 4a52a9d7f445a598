// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Raw identifiers: the struct, the field, the accessors, and a generic parameter.

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

#[allow(non_camel_case_types)]
struct r#enum(u32);

#[allow(non_camel_case_types)]
#[devres_lazy]
#[pin_data]
struct r#struct {
    r#dyn: ARef<Device>,

    #[lazy(
        pub fn r#match -> r#enum,
        device = &self.r#dyn,
        init = r#enum(42),
        peek = r#if,
        try_access = r#try,
        revoke = r#move,
    )]
    r#type: r#enum,
}

impl r#struct {
    fn new(r#dyn: ARef<Device>) -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            try_pin_init!(Self {
                r#dyn,
                r#type <- new_lazy!(),
            }),
            GFP_KERNEL,
        )
    }
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let mut object = r#struct::new(bound.device())?;

    assert!(object.r#if(&bound)?.is_none());
    assert_eq!(object.r#match(&bound)?.0, 42);
    assert_eq!(object.r#try().map(|it| it.0), Some(42));
    object.as_mut().r#move();
    assert!(object.r#if(&bound)?.is_none());
    bound.unbind();
    Ok(())
}
