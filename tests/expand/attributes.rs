// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which attributes of the struct and of its fields go on what is generated.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

/// A table.
pub struct Table;

/// A queue.
#[devres_lazy]
#[pin_data]
#[cfg(not(miri))]
#[allow(non_snake_case, reason = "as the manual has it")]
pub struct Queue {
    dev: ARef<Device>,

    /// The page table.
    #[deprecated(since = "7.3.0", note = "use `ring`")]
    #[doc(alias("PTE", "page_table"))]
    #[lazy(pub fn PTE -> Table, device = &self.dev, init = Table, peek = PTE_if_mapped)]
    pte: Table,

    #[cfg_attr(not(miri), cfg(not(miri)), doc = "Under a condition.", allow(unused))]
    #[doc(hidden)]
    #[lazy(pub fn ring -> Table, device = &self.dev, init = Table, revoke = unmap_ring)]
    ring: Table,
}
