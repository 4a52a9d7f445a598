// SPDX-License-Identifier: Apache-2.0 OR MIT
//@ edition: 2018

//! What the edition of 2018 still has: `gen` is a name.

use kernel::{device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice};

struct Table(u32);

fn gen(number: u32) -> u32 {
    number
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,
    #[lazy(fn table -> Table, device = &self.dev, init = Table(gen(42)))]
    table: Table,
}

fn main() -> Result {
    let name = core::ffi::CStr::from_bytes_with_nul(b"gpu0\0").unwrap();
    let mut gpu = TestDevice::new(name)?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(try_pin_init!(Queue { dev, table <- new_lazy!() }), GFP_KERNEL)?;
    println!("{}", queue.table(&bound)?.0);
    bound.unbind();
    Ok(())
}
