// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `#[cfg]` on a field: it is on all that is made from the field.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

/// A table.
pub struct Table;

/// A queue.
#[devres_lazy]
#[pin_data]
pub struct Queue {
    dev: ARef<Device>,

    /// The shadow of the table.
    #[cfg(debug_assertions)]
    #[lazy(
        pub fn shadow -> Table,
        device = &self.dev,
        init = Table,
        peek = shadow_if_mapped,
        try_access = try_shadow,
        revoke = unmap_shadow,
    )]
    shadow: Table,

    /// The queue's translation table.
    #[lazy(
        pub fn table -> Table,
        device = &self.dev,
        init = Table,
    )]
    table: Table,
}
