// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Keys that a resource that borrows the device cannot have, and a `ForLt!` of what is no type.

use kernel::{
    device::Device,
    devres_lazy,
    pci::{self, Bar},
    prelude::*,
    sync::aref::ARef,
    types::{self, ForLt},
};

struct Marker;

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(fn mapped -> Bar<'_>, device = &self.dev, map = Marker)]
    mapped: ForLt!(Bar<'_>),

    #[lazy(
        fn bar -> Bar<'_>,
        device = &self.dev,
        init = <&pci::Device<_>>::try_from(dev)?.iomap_region(0, c"queue")?,
        try_access = try_bar,
    )]
    bar: types::ForLt!(Bar<'_>),

    #[lazy(
        fn other -> Bar<'_>,
        device = &self.dev,
        init = <&pci::Device<_>>::try_from(dev)?.iomap_region(0, c"queue")?,
        map = Marker,
        try_access = try_other,
    )]
    other: Bar<'_>,

    #[lazy(fn number -> u32, device = &self.dev, init = 3)]
    number: ForLt!(3),
}

fn main() {}
