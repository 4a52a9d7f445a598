// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Resources that borrow the bound device.

use kernel::{
    device::{Bound, Device},
    devres_lazy,
    pci::{self, Bar},
    prelude::*,
    sync::aref::ARef,
    types::ForLt,
};

/// Finds the PCI device.
fn pdev(dev: &Device<Bound>) -> Result<&pci::Device<Bound>> {
    dev.try_into()
}

/// A queue.
#[devres_lazy]
#[pin_data]
pub struct Queue {
    dev: ARef<Device>,

    /// The registers of the queue.
    #[lazy(
        pub fn bar -> Bar<'_>,
        device = &self.dev,
        init = pdev(dev)?.iomap_region(0, c"queue")?,
        peek = bar_if_mapped,
        revoke = unmap_bar,
    )]
    bar: ForLt!(Bar<'_>),

    /// The doorbells of the queue.
    #[lazy(
        fn doorbells,
        device = &self.dev,
        init = KBox::new(pdev(dev)?.iomap_region_sized::<16>(2, c"doorbells")?, GFP_KERNEL)?,
    )]
    doorbells: ForLt!(for<'d> KBox<Bar<'d, 16>>),
}
