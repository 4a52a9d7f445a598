#! // SPDX-License-Identifier: Apache-2.0 OR MIT
/* This is no line for the system: */
[allow(dead_code)]

//! An attribute of the file comes first, in several lines.

use kernel::{device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice};

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,
    #[lazy(fn table -> u32, device = &self.dev, init = 42)]
    table: u32,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(try_pin_init!(Queue { dev, table <- new_lazy!() }), GFP_KERNEL)?;
    println!("{}", queue.table(&bound)?);
    bound.unbind();
    Ok(())
}
