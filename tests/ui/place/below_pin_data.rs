// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `#[pin_data]` comes first, and has seen other fields.

use kernel::{
    device::{Bound, Device},
    devres_lazy,
    prelude::*,
    sync::aref::ARef,
};

struct Table;

#[pin_data]
#[devres_lazy]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Table,
    )]
    table: Table,
}

fn table<'a>(queue: &'a Queue, dev: &'a Device<Bound>) -> Result<&'a Table> {
    queue.table(dev)
}

fn main() {
    let _ = table;
}
