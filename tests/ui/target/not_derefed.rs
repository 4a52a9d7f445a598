// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The resource derefs to another type.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};
use std::ops::Deref;

struct Table(u64);

impl Deref for Table {
    type Target = u64;

    fn deref(&self) -> &u64 {
        &self.0
    }
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> u32,
        device = &self.dev,
        init = Table(0),
    )]
    table: Table,
}

fn main() {}
