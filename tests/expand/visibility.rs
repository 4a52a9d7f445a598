// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The visibility of the accessor, which the other functions of its field have too.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

/// A table.
pub struct Table;

/// A queue.
#[devres_lazy]
#[pin_data]
pub struct Queue {
    dev: ARef<Device>,

    /// Public.
    #[lazy(pub fn a -> Table, device = &self.dev, init = Table, peek = a_if_mapped)]
    a: Table,

    /// The crate's.
    #[lazy(pub(crate) fn b -> Table, device = &self.dev, init = Table, try_access = try_b)]
    b: Table,

    /// The parent's.
    #[lazy(pub(super) fn c -> Table, device = &self.dev, init = Table, revoke = unmap_c)]
    c: Table,

    /// Private, of a public field.
    #[lazy(fn d -> Table, device = &self.dev, init = Table, peek = d_if_mapped)]
    pub d: Table,
}
