// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A function has the name of the other field's slow path.

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
    )]
    table: Table,

    #[lazy(
        fn table_slow -> Table,
        device = &self.dev,
        init = Table,
    )]
    ring: Table,
}

fn main() -> Result {
    Ok(())
}
