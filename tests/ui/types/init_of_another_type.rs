// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `init` makes something else.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

struct Table;

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = 0u32,
    )]
    table: Table,
}

fn main() {}
