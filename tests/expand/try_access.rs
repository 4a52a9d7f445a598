// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `try_access`: without a bound device.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

/// A table.
pub struct Table;

/// A queue.
#[devres_lazy]
#[pin_data]
pub struct Queue {
    dev: ARef<Device>,

    /// The queue's translation table.
    #[lazy(
        pub fn table -> Table,
        device = &self.dev,
        init = Table,
        try_access = try_table,
    )]
    table: Table,
}
