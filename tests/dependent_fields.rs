// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Lazy fields that depend on each other, declared in order of dependency and in the wrong order.
//!
//! Unbind drops in reverse order of population, which follows the dependency either way. A free
//! drops in reverse order of declaration.

#[path = "support/hardware.rs"]
mod hardware;

use hardware::{Hardware, PageTable, Ring};
use kernel::{
    device::{Bound, Device},
    devres_lazy, new_lazy,
    prelude::*,
    sync::aref::ARef,
    testing::TestDevice,
};
use std::sync::Arc;

/// The page table is declared in front of the ring buffer, which needs the page table.
#[devres_lazy]
#[pin_data]
struct InOrder {
    dev: ARef<Device>,
    hardware: Arc<Hardware>,
    #[lazy(fn page_table, device = &self.dev, init = PageTable::new(&self.hardware))]
    page_table: PageTable,
    #[lazy(fn ring, device = &self.dev, init = Ring::new(self.page_table(dev)?))]
    ring: Ring,
}

/// The page table is declared behind the ring buffer, which needs the page table.
#[devres_lazy]
#[pin_data]
struct WrongOrder {
    dev: ARef<Device>,
    hardware: Arc<Hardware>,
    #[lazy(fn ring, device = &self.dev, init = Ring::new(self.page_table(dev)?))]
    ring: Ring,
    #[lazy(fn page_table, device = &self.dev, init = PageTable::new(&self.hardware))]
    page_table: PageTable,
}

/// An object with both fields.
trait Queue: Sized {
    fn new(dev: &Device, hardware: &Arc<Hardware>) -> Result<Pin<KBox<Self>>>;
    fn populate_ring(&self, dev: &Device<Bound>) -> Result;
    fn populate_page_table(&self, dev: &Device<Bound>) -> Result;
}

macro_rules! queue {
    ($name:ident) => {
        impl Queue for $name {
            fn new(dev: &Device, hardware: &Arc<Hardware>) -> Result<Pin<KBox<Self>>> {
                KBox::pin_init(
                    pin_init!(Self {
                        dev: dev.into(),
                        hardware: hardware.clone(),
                        page_table <- new_lazy!(),
                        ring <- new_lazy!(),
                    }),
                    GFP_KERNEL,
                )
            }

            fn populate_ring(&self, dev: &Device<Bound>) -> Result {
                self.ring(dev).map(|_| ())
            }

            fn populate_page_table(&self, dev: &Device<Bound>) -> Result {
                self.page_table(dev).map(|_| ())
            }
        }
    };
}

queue!(InOrder);
queue!(WrongOrder);

/// The events of an unbind, and of a free.
struct Ends {
    unbind: Vec<&'static str>,
    free: Vec<&'static str>,
}

/// Frees an object, and unbinds the device of another one. The page table is populated by the ring
/// buffer's `init`, or before the ring buffer.
fn ends<Q: Queue>(is_page_table_first: bool) -> Result<Ends> {
    let hardware = Arc::new(Hardware::default());
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let populated = || -> Result<Pin<KBox<Q>>> {
        let queue = Q::new(&bound, &hardware)?;
        if is_page_table_first {
            queue.populate_page_table(&bound)?;
        }
        queue.populate_ring(&bound)?;
        assert_eq!(hardware.log(), ["page table installed", "ring mapped"]);
        Ok(queue)
    };

    drop(populated()?);
    let free = hardware.log();
    let queue = populated()?;
    bound.unbind();
    let unbind = hardware.log();
    drop(queue);
    assert!(hardware.log().is_empty(), "dropped twice");

    Ok(Ends { unbind, free })
}

#[test]
fn in_order_of_dependency() -> Result {
    for is_page_table_first in [false, true] {
        let Ends { unbind, free } = ends::<InOrder>(is_page_table_first)?;

        assert_eq!(unbind, ["ring unmapped", "page table removed"]);
        assert_eq!(free, unbind);
    }
    Ok(())
}

#[test]
fn in_the_wrong_order() -> Result {
    for is_page_table_first in [false, true] {
        let Ends { unbind, free } = ends::<WrongOrder>(is_page_table_first)?;

        assert_eq!(unbind, ["ring unmapped", "page table removed"]);
        // The free unmaps the ring buffer through a page table that is gone.
        assert_eq!(
            free,
            ["page table removed", "ring unmapped WITHOUT A PAGE TABLE"]
        );
    }
    Ok(())
}
