// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A `device` that fails would go around the comparison.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: Option<ARef<Device>>,

    #[lazy(
        fn table -> u32,
        device = self.dev.as_ref().ok_or(ENODEV)?,
        init = 0,
    )]
    table: u32,
}

fn main() {}
