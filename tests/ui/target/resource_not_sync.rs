// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The resource is used from many threads.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};
use std::cell::Cell;

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Cell<u32>,
        device = &self.dev,
        init = Cell::new(0),
    )]
    table: Cell<u32>,
}

fn main() {}
