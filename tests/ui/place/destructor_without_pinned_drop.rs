// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `#[devres_lazy]` completes a destructor that is not yet `#[pinned_drop]`.

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

struct Table;

#[devres_lazy]
#[pin_data(PinnedDrop)]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Table,
    )]
    table: Table,
}

#[devres_lazy]
impl PinnedDrop for Queue {
    fn drop(self: Pin<&mut Self>) {}
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

    queue.table(&bound)?;
    Ok(())
}
