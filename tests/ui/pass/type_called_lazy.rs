// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A resource whose type is called as the slot is.

use core::ops::Deref;
use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

struct Lazy<T>(T);

impl<T> Deref for Lazy<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

mod lazy {
    pub struct Lazy(pub u32);
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> u32,
        device = &self.dev,
        init = Lazy(42),
    )]
    table: Lazy<u32>,

    #[lazy(fn shadow, device = &self.dev, init = lazy::Lazy(43))]
    shadow: lazy::Lazy,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            table <- new_lazy!(),
            shadow <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    assert_eq!(queue.table(&bound)?, &42);
    assert_eq!(queue.shadow(&bound)?.0, 43);
    bound.unbind();
    Ok(())
}
