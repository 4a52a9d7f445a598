// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `Drop` in place of `PinnedDrop`.

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

impl Drop for Queue {
    fn drop(&mut self) {}
}

fn main() {}
