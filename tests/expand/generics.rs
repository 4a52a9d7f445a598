// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Type and const parameters, with bounds, a `where` clause and defaults.

use core::ops::Deref;
use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

/// What a table is made of.
pub trait Format: Send + Sync + 'static {
    /// Its entries.
    type Entry: Copy + Send + Sync + 'static;

    /// What they are at first.
    const FIRST: Self::Entry;
}

/// A table.
pub struct Table<F: Format, const N: usize>([F::Entry; N]);

impl<F: Format, const N: usize> Deref for Table<F, N> {
    type Target = [F::Entry; N];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// A queue.
#[devres_lazy]
#[pin_data]
pub struct Queue<F, const N: usize = 16>
where
    F: Format,
{
    dev: ARef<Device>,

    /// The queue's translation table.
    #[lazy(
        pub fn table -> [F::Entry; N],
        device = &self.dev,
        init = Table([F::FIRST; N]),
    )]
    table: Table<F, N>,
}
