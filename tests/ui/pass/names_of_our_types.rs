// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Type parameters and types that are called as those of what is generated.

use kernel::{
    self as dl, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

#[allow(dead_code, non_camel_case_types)]
struct bool;

struct Device(u32);
struct Pin;

#[devres_lazy]
#[pin_data]
struct Owner<T: Send + Sync + 'static, O: Default, Bound: Copy + Into<u32>> {
    dev: ARef<dl::device::Device>,
    owner: O,
    bound: Bound,

    #[lazy(
        fn table -> (Device, Option<T>),
        device = &self.dev,
        init = (Device(self.bound.into()), None),
        peek = table_if_mapped,
        try_access = try_table,
        revoke = unmap_table,
    )]
    table: (Device, Option<T>),
}

impl<T: Send + Sync + 'static, O: Default, Bound: Copy + Into<u32>> Owner<T, O, Bound> {
    fn new(dev: ARef<dl::device::Device>, bound: Bound) -> Result<core::pin::Pin<KBox<Self>>> {
        KBox::pin_init(
            try_pin_init!(Self {
                dev,
                owner: O::default(),
                bound,
                table <- new_lazy!("Owner::table"),
            }),
            GFP_KERNEL,
        )
    }
}

fn main() -> Result {
    let _ = Pin;
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let mut object = Owner::<String, u8, u16>::new(bound.device(), 42)?;

    let (device, none) = object.table(&bound)?;
    assert_eq!((device.0, none.is_none(), object.owner), (42, true, 0));
    assert!(object.table_if_mapped(&bound)?.is_some());
    assert!(object.try_table().is_some());
    object.as_mut().unmap_table();
    assert!(object.try_table().is_none());
    bound.unbind();
    Ok(())
}
