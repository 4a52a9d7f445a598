// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Several lazy fields: teardown is in the reverse order.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

/// A table.
pub struct Table;

/// A ring.
pub struct Ring;

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
    )]
    table: Table,

    /// How long it is.
    pub len: usize,

    /// The queue's ring.
    #[lazy(
        pub fn ring -> Ring,
        device = &self.dev,
        init = Ring,
    )]
    ring: Ring,
}
