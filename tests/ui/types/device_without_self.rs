// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `device` is a field, and `self` is forgotten.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

struct Table;

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,
    parent: ARef<Device>,

    #[lazy(
        fn table -> Table,
        device = &parent,
        init = Table,
    )]
    table: Table,
}

fn main() {}
