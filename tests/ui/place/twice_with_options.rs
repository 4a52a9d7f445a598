// SPDX-License-Identifier: Apache-2.0 OR MIT

//! One attribute is enough, and what the second one says is not looked at.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

struct Table;

#[devres_lazy]
#[pin_data]
#[kernel::devres_lazy(crate = elsewhere)]
struct Queue {
    dev: ARef<Device>,

    #[lazy(fn table -> Table, device = &self.dev, init = Table)]
    table: Table,
}

fn main() {}
