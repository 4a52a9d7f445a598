// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The conditions of a field, however written, are those of all that is generated from it.

#![deny(warnings)]

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

struct Table(u32);

#[devres_lazy]
#[pin_data]
#[cfg_attr(all(), cfg(all()))]
struct Queue {
    dev: ARef<Device>,

    #[lazy(fn table -> Table, device = &self.dev, init = Table(1))]
    table: Table,

    #[cfg_attr(all(), cfg(any()))]
    #[lazy(fn shadow -> Missing, device = &self.dev, init = Missing, peek = peek, revoke = unmap)]
    shadow: Missing,

    #[cfg_attr(any(), cfg(any()))]
    #[lazy(fn here -> Table, device = &self.dev, init = Table(2), peek = here_if_mapped)]
    here: Table,

    #[cfg_attr(all(), doc = "Gone.", cfg_attr(all(), allow(unused), cfg(any())))]
    #[lazy(fn nested -> Missing, device = &self.dev, init = Missing, try_access = try_nested)]
    nested: Missing,

    #[cfg(all())]
    #[cfg_attr(all(), cfg(all()), cfg(not(any())))]
    #[lazy(fn several -> Table, device = &self.dev, init = Table(3))]
    several: Table,

    // The same accessor under the opposite condition.
    #[cfg_attr(all(), cfg(any()))]
    #[lazy(fn either -> Missing, device = &self.dev, init = Missing)]
    either: Missing,
    #[cfg_attr(all(), cfg(not(any())))]
    #[lazy(fn either -> Table, device = &self.dev, init = Table(4))]
    either: Table,
}

/// Not there at all.
#[devres_lazy]
#[pin_data]
#[cfg_attr(all(), cfg(any()))]
struct Queue {
    #[lazy(fn table -> Missing, device = &self.dev, init = Missing)]
    table: Missing,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            table <- new_lazy!(),
            here <- new_lazy!(),
            several <- new_lazy!(),
            either <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    assert_eq!(queue.table(&bound)?.0, 1);
    assert_eq!(queue.here(&bound)?.0, 2);
    assert_eq!(queue.here_if_mapped(&bound)?.map(|table| table.0), Some(2));
    assert_eq!(queue.several(&bound)?.0, 3);
    assert_eq!(queue.either(&bound)?.0, 4);
    bound.unbind();
    Ok(())
}
