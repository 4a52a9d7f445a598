// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `revoke` needs exclusive access, which a pin excludes.

use kernel::{
    device::Device, devres_lazy, new_evictable_lazy, prelude::*, sync::aref::ARef,
    testing::TestDevice,
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
        revoke = unmap_table,
        evict = evict_table,
    )]
    table: Table,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            table <- new_evictable_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    let mut queue = queue;
    let table = queue.table(&bound)?;
    queue.as_mut().unmap_table();
    assert_eq!(table.0, 42);
    Ok(())
}
