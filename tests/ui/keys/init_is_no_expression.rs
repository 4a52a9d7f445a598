// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A mistake within a value is one mistake: the other entries are not missing.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

fn add(a: u32, b: u32) -> u32 {
    a + b
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(fn sum, device = &self.dev, init = add(1 2))]
    sum: u32,

    #[lazy(fn block, device = &self.dev, init = { let a = ; a })]
    block: u32,

    #[lazy(fn array, device = &self.dev, init = [1; 2 3])]
    array: [u32; 2],
}

fn main() {}
