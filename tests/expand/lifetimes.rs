// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Lifetimes of the struct and of a type: the accessor's is another one.

use kernel::{device::Device, devres_lazy, prelude::*};

/// Finds an entry.
pub type Lookup = fn(&u32) -> &u32;

/// A queue.
#[devres_lazy]
#[pin_data]
pub struct Queue<'a> {
    dev: &'a Device,

    lookup: Lookup,

    /// Finds an entry.
    #[lazy(
        pub fn lookup -> Lookup,
        device = self.dev,
        init = self.lookup,
    )]
    lazy_lookup: for<'b> fn(&'b u32) -> &'b u32,
}
