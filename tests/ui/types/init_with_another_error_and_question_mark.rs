// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The error before a `?` does not convert into the kernel's.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

struct Table;

/// Knows nothing of the kernel's errors.
#[derive(Debug)]
struct Broken;

impl Table {
    fn new() -> Result<Self, Broken> {
        Err(Broken)
    }
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Table::new()?,
    )]
    table: Table,
}

fn main() {}
