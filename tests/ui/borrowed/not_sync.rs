// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A resource that borrows the device and is not for all threads.

use core::cell::Cell;
use kernel::{
    device::{Bound, Device},
    devres_lazy,
    prelude::*,
    sync::aref::ARef,
    types::ForLt,
};

struct Window<'a> {
    dev: &'a Device<Bound>,
    uses: Cell<u32>,
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(fn window -> Window<'_>, device = &self.dev, init = Window { dev, uses: Cell::new(0) })]
    window: ForLt!(Window<'_>),
}

fn main() {}
