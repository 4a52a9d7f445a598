// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A lifetime in a type, called as the accessor would call its own.

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

type Lookup = Box<dyn for<'b> Fn(&'b u32) -> &'b u32 + Send + Sync>;

fn same(entry: &u32) -> &u32 {
    entry
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn lookup -> Box<dyn for<'a> Fn(&'a u32) -> &'a u32 + Send + Sync>,
        device = &self.dev,
        init = Box::new(same) as Lookup,
        peek = lookup_if_mapped,
    )]
    lookup: Lookup,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            lookup <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    assert_eq!(queue.lookup(&bound)?(&42), &42);
    assert!(queue.lookup_if_mapped(&bound)?.is_some());
    bound.unbind();

    let bound = gpu.bind()?;
    assert_eq!(queue.lookup(&bound).err(), Some(ENXIO));
    Ok(())
}
