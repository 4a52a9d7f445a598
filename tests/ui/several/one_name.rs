// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Two accessors have one name.

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
        fn table -> Table,
        device = &self.dev,
        init = Table,
    )]
    ring: Table,
}

fn main() -> Result {
    Ok(())
}
