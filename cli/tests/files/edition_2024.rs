// SPDX-License-Identifier: Apache-2.0 OR MIT
//@ edition: 2024

//! What only the edition of 2024 has: a chain of conditions. Its folder says another edition.

use kernel::{device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice};

struct Table(u32);

#[devres_lazy]
#[pin_data(PinnedDrop)]
struct Queue {
    dev: ARef<Device>,
    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = if let Some(a) = Some(1) && a == 1 && let Some(b) = Some(41) { Table(a + b) } else { Table(0) },
    )]
    table: Table,
}

#[devres_lazy]
#[pinned_drop]
impl PinnedDrop for Queue {
    fn drop(self: Pin<&mut Self>) {
        if let Some(a) = Some(1) && a == 1 { println!("{a}"); }
    }
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(try_pin_init!(Queue { dev, table <- new_lazy!() }), GFP_KERNEL)?;
    println!("{}", queue.table(&bound)?.0);
    drop(queue);
    bound.unbind();
    Ok(())
}
