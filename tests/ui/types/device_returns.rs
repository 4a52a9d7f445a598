// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A `device` that returns would go around the comparison.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: Option<ARef<Device>>,

    #[lazy(
        fn table -> u32,
        device = match &self.dev {
            Some(dev) => dev,
            None => return true,
        },
        init = 0,
    )]
    table: u32,
}

fn main() {}
