// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `device` is not a device.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

struct Table;

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,
    id: u32,

    #[lazy(
        fn table -> Table,
        device = &self.id,
        init = Table,
        peek = table_if_mapped,
    )]
    table: Table,
}

fn main() {}
