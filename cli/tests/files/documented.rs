// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Documentation between attributes, of several kinds.

use kernel::{device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice};

/// A table.
struct Table(u32);

/** A queue, documented
    in two lines. */
#[devres_lazy] /// And once more.
#[doc = "In an attribute."]
#[pin_data] /** With stars. */ #[doc(hidden)]
struct Queue {
    /// Whose it is.
    dev: ARef<Device>,

    /// The page table.
    #[allow(non_snake_case)] /// Of pages.
    #[doc(alias = "PTE")]
    /** Walked by the device. */
    /// Seldom.
    #[lazy(fn table -> Table, device = &self.dev, init = Table(42))]
    #[doc = "At last."] /// The end.
    table: Table,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(try_pin_init!(Queue { dev, table <- new_lazy!() }), GFP_KERNEL)?;
    println!("{}", queue.table(&bound)?.0);
    bound.unbind();
    Ok(())
}
