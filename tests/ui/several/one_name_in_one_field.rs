// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Two functions of one field have one name.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

struct Table;

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Table,
        peek = table,
        try_access = try_table,
        revoke = try_table,
    )]
    table: Table,
}

fn main() -> Result {
    Ok(())
}
