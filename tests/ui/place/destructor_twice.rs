// SPDX-License-Identifier: Apache-2.0 OR MIT

//! One attribute is enough on a destructor too.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

struct Table;

#[devres_lazy]
#[pin_data(PinnedDrop)]
struct Queue {
    dev: ARef<Device>,

    #[lazy(fn table -> Table, device = &self.dev, init = Table)]
    table: Table,
}

#[devres_lazy]
#[devres_lazy]
#[pinned_drop]
impl PinnedDrop for Queue {
    fn drop(self: Pin<&mut Self>) {}
}

fn main() {}
