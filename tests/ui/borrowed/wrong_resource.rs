// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The initialiser makes something else; the target is something else.

use kernel::{
    device::{Bound, Device},
    devres_lazy,
    pci::{self, Bar},
    prelude::*,
    sync::aref::ARef,
    types::ForLt,
};

fn pdev(dev: &Device<Bound>) -> Result<&pci::Device<Bound>> {
    dev.try_into()
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(fn bar -> Bar<'_>, device = &self.dev, init = pdev(dev)?.iomap_region(0, c"queue"))]
    bar: ForLt!(Bar<'_>),

    #[lazy(fn no_bar -> Bar<'_>, device = &self.dev, init = pdev(dev)?)]
    no_bar: ForLt!(Bar<'_>),

    #[lazy(fn no_target -> u32, device = &self.dev, init = pdev(dev)?.iomap_region(0, c"queue")?)]
    no_target: ForLt!(Bar<'_>),
}

fn main() {}
