// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Two lazy fields of which one needs the other: a ring buffer that is mapped through a page table.
//!
//! The page table is declared first. Freeing the object drops resources in the reverse order of
//! declaration, and unbind in the reverse order of population: both unmap the ring buffer first.

use kernel::{device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing};
use std::{mem, sync::Mutex};

/// The events so far.
static LOG: Mutex<Vec<&str>> = Mutex::new(Vec::new());

fn note(what: &'static str) {
    LOG.lock().expect("no thread panics").push(what);
}

/// The page table of a device.
struct PageTable;

impl Drop for PageTable {
    fn drop(&mut self) {
        note("page table removed");
    }
}

/// A ring buffer.
struct Ring;

impl Ring {
    fn new(_through: &PageTable) -> Self {
        note("ring mapped");
        Self
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        note("ring unmapped");
    }
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,
    #[lazy(fn page_table, device = &self.dev, init = PageTable)]
    page_table: PageTable,
    /// The first access also populates the page table.
    #[lazy(fn ring, device = &self.dev, init = Ring::new(self.page_table(dev)?))]
    ring: Ring,
}

fn main() -> Result {
    for is_unbound in [true, false] {
        let mut gpu = testing::TestDevice::new(c"gpu0")?;
        let bound = gpu.bind()?;
        let dev = bound.device();
        let init = pin_init!(Queue { dev, page_table <- new_lazy!(), ring <- new_lazy!() });
        let queue = KBox::pin_init(init, GFP_KERNEL)?;
        queue.ring(&bound)?;

        match is_unbound {
            true => bound.unbind(),
            false => drop(queue),
        }
        let log = mem::take(&mut *LOG.lock().expect("no thread panics"));
        assert_eq!(log, ["ring mapped", "ring unmapped", "page table removed"]);
        println!("unbound: {is_unbound}: {}", log.join(", "));
    }
    Ok(())
}

#[test]
fn it_holds() -> Result {
    main()
}
