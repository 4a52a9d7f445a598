// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `device` is the one that the caller passed: comparing it with itself says nothing.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

struct Table;

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table,
        device = dev,
        init = Table,
    )]
    table: Table,
}

fn main() {}
