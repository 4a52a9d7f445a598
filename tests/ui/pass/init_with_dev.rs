// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `init` uses the device that the caller passed, which is bound, and that of the object.

use kernel::{
    device::{Bound, Device},
    devres_lazy, new_lazy,
    prelude::*,
    sync::aref::ARef,
    testing::TestDevice,
};

struct Table {
    dev: ARef<Device>,
    address: usize,
}

impl Table {
    fn new(queue: &Queue, dev: &Device<Bound>) -> Self {
        Self {
            dev: dev.into(),
            address: core::ptr::from_ref(queue).addr(),
        }
    }
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Table::new(self, dev),
    )]
    table: Table,

    /// A name of one's own hides that of the parameter.
    #[lazy(
        fn shadow -> u32,
        device = {
            let dev = &self.dev;
            dev
        },
        init = {
            let dev: u32 = 42;
            dev
        },
    )]
    shadow: u32,
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

    let table = queue.table(&bound)?;
    assert_eq!(table.dev.as_raw(), bound.as_raw());
    assert_eq!(table.address, core::ptr::from_ref(&*queue).addr());
    assert_eq!(queue.shadow(&bound)?, &42);
    bound.unbind();
    Ok(())
}
