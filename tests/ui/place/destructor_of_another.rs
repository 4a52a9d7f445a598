// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A struct without lazy fields has nothing to tear down.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

#[pin_data(PinnedDrop)]
struct Queue {
    dev: ARef<Device>,
}

#[devres_lazy]
#[pinned_drop]
impl PinnedDrop for Queue {
    fn drop(self: Pin<&mut Self>) {}
}

fn main() {}
