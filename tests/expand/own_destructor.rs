// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A destructor of one's own begins with the teardown.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

/// A table.
pub struct Table;

/// A queue.
#[devres_lazy]
#[pin_data(PinnedDrop)]
pub struct Queue<T: Send> {
    dev: ARef<Device>,
    users: T,

    /// The queue's translation table.
    #[lazy(
        pub fn table -> Table,
        device = &self.dev,
        init = Table,
    )]
    table: Table,
}

#[devres_lazy]
#[pinned_drop]
impl<T: Send> PinnedDrop for Queue<T> {
    fn drop(self: Pin<&mut Self>) {
        let _ = &self.users;
    }
}
