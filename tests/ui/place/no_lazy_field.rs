// SPDX-License-Identifier: Apache-2.0 OR MIT

//! No field is lazy.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,
}

fn queue(dev: ARef<Device>) -> impl PinInit<Queue> {
    pin_init!(Queue { dev })
}

fn main() {
    let _ = queue;
}
