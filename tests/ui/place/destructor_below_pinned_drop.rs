// SPDX-License-Identifier: Apache-2.0 OR MIT

//! On the author's destructor, the attribute stands below `#[pinned_drop]`.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

#[devres_lazy]
#[pin_data(PinnedDrop)]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> u32,
        device = &self.dev,
        init = 42,
    )]
    table: u32,
}

#[pinned_drop]
#[devres_lazy]
impl PinnedDrop for Queue {
    fn drop(self: Pin<&mut Self>) {}
}

fn main() {}
