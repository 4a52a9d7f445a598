// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The target must not be dropped on another thread, though the resource claims that it may.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};
use std::{ops::Deref, sync::MutexGuard};

/// For all threads itself, but what it derefs to is not.
struct Table(MutexGuard<'static, u32>);

// SAFETY: It is never used.
unsafe impl Send for Table {}

// SAFETY: It is never used.
unsafe impl Sync for Table {}

impl Deref for Table {
    type Target = MutexGuard<'static, u32>;

    fn deref(&self) -> &MutexGuard<'static, u32> {
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
        fn table -> MutexGuard<'static, u32>,
        device = &self.dev,
        init = Table::new(),
    )]
    table: Table,
}

fn main() {}
