// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `device` may not be there.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

struct Table;

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,
    parent: Option<ARef<Device>>,

    #[lazy(
        fn table -> Table,
        device = self.parent.as_deref(),
        init = Table,
    )]
    table: Table,
}

fn main() {}
