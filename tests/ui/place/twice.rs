// SPDX-License-Identifier: Apache-2.0 OR MIT

//! One attribute is enough.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

struct Table;

#[devres_lazy]
#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(fn table -> Table, device = &self.dev, init = Table)]
    table: Table,
}

fn main() {}
