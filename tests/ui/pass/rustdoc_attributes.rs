// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the author tells rustdoc of a field: an alias is not documentation, and is not given to the
//! accessor that has the name already.

#![deny(warnings)]
#![deny(missing_docs)]

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

/// A table.
pub struct Table(pub u32);

/// A queue.
#[devres_lazy]
#[pin_data]
pub struct Queue {
    dev: ARef<Device>,

    /// The table.
    #[doc(alias = "table")]
    #[doc(alias("sg_table", "entries"))]
    #[lazy(pub fn table -> Table, device = &self.dev, init = Table(1))]
    sgt: Table,

    #[doc(alias("sg", "ring_buffer"))]
    #[lazy(pub fn ring -> Table, device = &self.dev, init = Table(2))]
    ring: Table,

    #[doc(hidden)]
    #[lazy(pub fn secret -> Table, device = &self.dev, init = Table(3), peek = secret_if_mapped)]
    secret: Table,

    #[cfg_attr(all(), doc = "Under a condition.", doc(alias = "conditional"))]
    #[cfg_attr(any(), doc = "Not there.")]
    #[lazy(pub fn conditional -> Table, device = &self.dev, init = Table(4))]
    some: Table,

    #[doc(alias("list", "listed"))]
    #[lazy(pub fn listed -> Table, device = &self.dev, init = Table(7))]
    list_: Table,

    #[cfg_attr(any(), doc = "Not there.")]
    #[lazy(pub fn undocumented -> Table, device = &self.dev, init = Table(5))]
    undocumented: Table,

    #[doc = concat!("Composed ", "words.")]
    #[lazy(pub fn composed -> Table, device = &self.dev, init = Table(6))]
    composed: Table,
}

fn main() {}
