// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A field without documentation: its accessor has some.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

/// A table.
pub struct Table;

/// A queue.
#[devres_lazy]
#[pin_data]
pub struct Queue {
    dev: ARef<Device>,

    #[lazy(
        pub fn table -> Table,
        device = &self.dev,
        init = Table,
        peek = table_if_mapped,
    )]
    table: Table,
}
