// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `crate`: the runtime is elsewhere.

use kernel::{self as dl, device::Device, devres_lazy, prelude::*, sync::aref::ARef};

/// A table.
pub struct Table;

/// A queue.
#[devres_lazy(crate = dl)]
#[pin_data(PinnedDrop)]
pub struct Queue {
    dev: ARef<Device>,

    /// The queue's translation table.
    #[lazy(
        pub fn table -> Table,
        device = &self.dev,
        init = Table,
        peek = table_if_mapped,
        try_access = try_table,
        revoke = unmap_table,
    )]
    table: Table,
}

#[devres_lazy(crate = dl)]
#[pinned_drop]
impl PinnedDrop for Queue {
    fn drop(self: Pin<&mut Self>) {}
}
