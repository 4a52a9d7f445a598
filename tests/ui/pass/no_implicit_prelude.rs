// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A crate without a prelude: not even `Some` is in scope.

#![no_implicit_prelude]

use ::kernel::{
    device::Device,
    devres_lazy,
    error::Error,
    new_evictable_lazy, new_lazy,
    prelude::{pin_data, pinned_drop, try_pin_init, InPlaceInit as _, KBox, Pin, GFP_KERNEL},
    sync::aref::ARef,
    testing::TestDevice,
};
use ::std::{
    assert, assert_eq,
    mem::drop,
    result::Result::{self, Ok},
};

struct Table(u32);

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Table(42),
        peek = table_if_mapped,
        try_access = try_table,
        revoke = unmap_table,
    )]
    table: Table,

    #[lazy(
        fn pinned -> Table,
        device = &self.dev,
        init = KBox::new(Table(44), GFP_KERNEL)?,
        peek = pinned_if_mapped,
        evict = evict_pinned,
    )]
    pinned: KBox<Table>,
}

#[devres_lazy]
#[pin_data(PinnedDrop)]
struct Ring {
    dev: ARef<Device>,

    #[lazy(fn ring, device = &self.dev, init = Table(43))]
    ring: Table,
}

#[devres_lazy]
#[pinned_drop]
impl PinnedDrop for Ring {
    fn drop(self: Pin<&mut Self>) {}
}

fn main() -> Result<(), Error> {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let mut queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            table <- new_lazy!(),
            pinned <- new_evictable_lazy!(),
        }),
        GFP_KERNEL,
    )?;
    let dev = bound.device();
    let ring = KBox::pin_init(
        try_pin_init!(Ring {
            dev,
            ring <- new_lazy!("ring"),
        }),
        GFP_KERNEL,
    )?;

    assert_eq!(queue.table(&bound)?.0, 42);
    assert_eq!(ring.ring(&bound)?.0, 43);
    assert!(queue.table_if_mapped(&bound)?.is_some());
    assert!(queue.try_table().is_some());
    queue.as_mut().unmap_table();
    assert!(queue.try_table().is_none());
    assert_eq!(queue.pinned(&bound)?.0, 44);
    assert!(queue.pinned_if_mapped(&bound)?.is_some());
    assert!(queue.evict_pinned()?);
    drop(ring);
    bound.unbind();
    Ok(())
}
