// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A type with a lifetime left out that does not stand for a family by itself.

use kernel::{
    device::{Bound, Device},
    devres_lazy,
    prelude::*,
    sync::aref::ARef,
};

struct Window<'a> {
    dev: &'a Device<Bound>,
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(fn window -> Window<'_>, device = &self.dev, init = Window { dev })]
    window: Window<'_>,
}

fn main() {}
