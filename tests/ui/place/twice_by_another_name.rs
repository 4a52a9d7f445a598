// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The second attribute has another name, and comes when the item is expanded already.

use kernel::{
    device::Device, devres_lazy, devres_lazy as lazy_fields, prelude::*, sync::aref::ARef,
};

struct Table;

#[devres_lazy]
#[lazy_fields]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(fn table -> Table, device = &self.dev, init = Table)]
    table: Table,
}

fn main() {}
