// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The resource does not deref to anything.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

struct Table;

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> u32,
        device = &self.dev,
        init = Table,
    )]
    table: Table,
}

fn main() {}
