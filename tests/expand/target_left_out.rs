// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Without a target it is the resource that is lent.

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
        pub fn table,
        device = &self.dev,
        init = Table,
    )]
    table: Table,
}
