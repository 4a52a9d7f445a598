// SPDX-License-Identifier: Apache-2.0 OR MIT

//! An owner does not move: slots are pinned fields.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

struct Table;

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Table,
    )]
    table: Table,
}

fn moved(queue: Pin<KBox<Queue>>) -> KBox<Queue> {
    Pin::into_inner(queue)
}

fn main() {}
