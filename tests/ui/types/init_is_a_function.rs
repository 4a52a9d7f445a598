// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `init` is the constructor, and does not call it.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

struct Table;

impl Table {
    fn new() -> Self {
        Self
    }
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Table::new,
    )]
    table: Table,
}

fn main() {}
