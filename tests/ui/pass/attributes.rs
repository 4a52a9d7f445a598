// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Attributes of the struct and of its fields are kept, also those that `cfg_attr` is still to
//! make.

#![deny(warnings)]

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

struct Table(u32);

#[allow(dead_code)]
#[devres_lazy]
#[cfg_attr(all(), must_use)]
#[doc = "A queue."]
#[pin_data]
#[repr(align(256))]
struct Queue {
    dev: ARef<Device>,

    /// Twice documented.
    #[doc = "The second time."]
    #[cfg_attr(all(), allow(unused))]
    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Table(42),
    )]
    table: Table,

    #[pin]
    #[lazy(fn pinned -> Table, device = &self.dev, init = Table(43))]
    pinned: Table,

    unused: u32,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            table <- new_lazy!(),
            pinned <- new_lazy!(),
            unused: 0,
        }),
        GFP_KERNEL,
    )?;

    assert_eq!(align_of::<Queue>(), 256);
    assert_eq!(queue.table(&bound)?.0, 42);
    assert_eq!(queue.pinned(&bound)?.0, 43);
    bound.unbind();
    Ok(())
}
