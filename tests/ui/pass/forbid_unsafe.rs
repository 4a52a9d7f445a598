// SPDX-License-Identifier: Apache-2.0 OR MIT

//! An `init` field, with an own destructor too, in a crate that forbids `unsafe`.

#![forbid(unsafe_code)]

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
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
    fn drop(self: Pin<&mut Self>) {
        assert!(self.ring.try_access().is_none());
    }
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

    let dev = bound.device();
    let ring = KBox::pin_init(
        try_pin_init!(Ring {
            dev,
            ring <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    assert_eq!(queue.table(&bound)?.0, 42);
    assert_eq!(ring.ring(&bound)?.0, 43);
    assert!(queue.table_if_mapped(&bound)?.is_some());
    assert!(queue.try_table().is_some());
    queue.as_mut().unmap_table();
    drop(ring);
    bound.unbind();
    Ok(())
}
