// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Who unmaps has exclusive access.

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

    let shared = queue.as_ref();
    shared.unmap_table();
    Ok(())
}
