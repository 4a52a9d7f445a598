// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The resource may outlive the object, in the list of the device.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

#[devres_lazy]
#[pin_data]
struct Queue<'a> {
    dev: ARef<Device>,
    entry: &'a u32,

    #[lazy(
        fn table -> &'a u32,
        device = &self.dev,
        init = self.entry,
    )]
    table: &'a u32,
}

fn main() {}
