// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Items that are configured: each of several that have one name, above the attribute and below,
//! with their destructors, and by way of `cfg_attr`.

use kernel::{device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice};

struct Table(u32);

#[cfg(with_large_tables)]
#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,
    #[lazy(fn table -> Table, device = &self.dev, init = Table(1024))]
    table: Table,
}

#[devres_lazy]
#[cfg(not(with_large_tables))]
#[pin_data(PinnedDrop)]
struct Queue {
    dev: ARef<Device>,
    #[lazy(fn table -> Table, device = &self.dev, init = Table(16), peek = table_if_mapped)]
    table: Table,
}

#[devres_lazy]
#[pinned_drop]
#[cfg(not(with_large_tables))]
impl PinnedDrop for Queue {
    fn drop(self: Pin<&mut Self>) {
        println!("small");
    }
}

#[cfg(any())]
#[devres_lazy]
#[pin_data]
struct Never {
    dev: NoSuchDevice,
    #[lazy(fn table -> NoSuchTable, device = &self.dev, init = no_such_function())]
    table: NoSuchTable,
}

#[devres_lazy]
#[cfg_attr(all(), cfg(with_rings))]
#[pin_data]
struct Ring {
    dev: ARef<Device>,
    #[cfg(with_large_tables)]
    #[lazy(fn large -> Table, device = &self.dev, init = Table(1025))]
    large: Table,
    #[cfg_attr(all(), cfg(not(with_large_tables)))]
    #[lazy(fn small -> Table, device = &self.dev, init = Table(17))]
    small: Table,
}

/// Pinned by way of `cfg_attr`.
#[devres_lazy]
#[cfg_attr(all(), pin_data)]
#[cfg_attr(any(), derive(NoSuchTrait))]
struct Pinned {
    dev: ARef<Device>,
    #[lazy(fn table -> Table, device = &self.dev, init = Table(3))]
    table: Table,
}

/// Pinned with a destructor by way of `cfg_attr`.
#[devres_lazy]
#[cfg_attr(not(any()), pin_data(PinnedDrop))]
struct Dropped {
    dev: ARef<Device>,
    #[lazy(fn table -> Table, device = &self.dev, init = Table(4))]
    table: Table,
}

#[devres_lazy]
#[pinned_drop]
impl PinnedDrop for Dropped {
    fn drop(self: Pin<&mut Self>) {
        println!("dropped");
    }
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;

    let dev = bound.device();
    let queue = KBox::pin_init(try_pin_init!(Queue { dev, table <- new_lazy!() }), GFP_KERNEL)?;
    println!("{}", queue.table(&bound)?.0);
    #[cfg(all(with_rings, with_large_tables))]
    {
        let dev = bound.device();
        let ring = KBox::pin_init(try_pin_init!(Ring { dev, large <- new_lazy!() }), GFP_KERNEL)?;
        println!("{}", ring.large(&bound)?.0);
    }
    let dev = bound.device();
    let pinned = KBox::pin_init(try_pin_init!(Pinned { dev, table <- new_lazy!() }), GFP_KERNEL)?;
    println!("{}", pinned.table(&bound)?.0);
    let dev = bound.device();
    let dropped = KBox::pin_init(try_pin_init!(Dropped { dev, table <- new_lazy!() }), GFP_KERNEL)?;
    println!("{}", dropped.table(&bound)?.0);

    drop(queue);
    bound.unbind();
    Ok(())
}
