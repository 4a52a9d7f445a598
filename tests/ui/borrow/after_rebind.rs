// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Nor does it live on in the next binding.

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
            table <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    // Not even if the first binding is forgotten, and its time did not end.
    let bound = Box::leak(Box::new(bound));
    let table = queue.table(bound)?;
    let rebound = gpu.bind()?;
    assert_eq!(table.0, 42);
    rebound.unbind();
    Ok(())
}
