// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `#[cfg]` on every lazy field.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

/// A table.
pub struct Table;

/// A queue.
#[devres_lazy]
#[pin_data]
pub struct Queue {
    dev: ARef<Device>,

    /// The queue's translation table.
    #[cfg(debug_assertions)]
    #[lazy(
        pub fn table -> Table,
        device = &self.dev,
        init = Table,
    )]
    table: Table,

    /// Another table.
    #[cfg(not(debug_assertions))]
    #[lazy(
        pub fn other -> Table,
        device = &self.dev,
        init = Table,
    )]
    other: Table,
}
