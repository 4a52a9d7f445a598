// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The target is not for all threads, though the resource claims to be.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};
use std::{cell::Cell, ops::Deref};

/// For all threads itself, but what it derefs to is not.
struct Table(Cell<u32>);

// SAFETY: It is never used.
unsafe impl Send for Table {}

// SAFETY: It is never used.
unsafe impl Sync for Table {}

impl Deref for Table {
    type Target = Cell<u32>;

    fn deref(&self) -> &Cell<u32> {
        &self.0
    }
}

impl Table {
    fn new() -> Self {
        unimplemented!()
    }
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Cell<u32>,
        device = &self.dev,
        init = Table::new(),
        peek = table_if_mapped,
    )]
    table: Table,
}

fn main() {}
