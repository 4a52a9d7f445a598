// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `revoke` unmaps now, once, and the object is usable again.

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

static LIVE: AtomicU32 = AtomicU32::new(0);

struct Table(u32);

impl Table {
    fn new(value: u32) -> Self {
        LIVE.fetch_add(1, Relaxed);
        Self(value)
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Relaxed);
    }
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Table::new(42),
        revoke = unmap_table,
    )]
    table: Table,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let mut queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            table <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    queue.as_mut().unmap_table();
    for _ in 0..2 {
        assert_eq!(queue.table(&bound)?.0, 42);
        assert_eq!(LIVE.load(Relaxed), 1);
        queue.as_mut().unmap_table();
        assert_eq!(LIVE.load(Relaxed), 0);
    }

    // Also what unbind has revoked.
    queue.table(&bound)?;
    bound.unbind();
    let bound = gpu.bind()?;
    assert_eq!(queue.table(&bound).err(), Some(ENXIO));
    queue.as_mut().unmap_table();
    assert_eq!(queue.table(&bound)?.0, 42);
    drop(queue);
    assert_eq!(LIVE.load(Relaxed), 0);
    Ok(())
}
