// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `evict` and `try_access` exclude each other, in either order.

use kernel::{
    device::Device, devres_lazy, new_evictable_lazy, prelude::*, sync::aref::ARef,
    testing::TestDevice,
};

struct Table;

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Table,
        evict = evict_table,
        peek = table_if_mapped,
        try_access = try_table,
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

    queue.table(&bound)?;
    Ok(())
}
