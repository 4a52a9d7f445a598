// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The marker does not implement `Map` for the owner.

use kernel::{device::Device, devres::Mapped, devres_lazy, prelude::*, sync::aref::ARef};

struct Marker;

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> u32,
        device = &self.dev,
        map = Marker,
    )]
    table: Mapped<Self, Marker>,
}

fn main() {}
