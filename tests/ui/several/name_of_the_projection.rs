// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Functions have the name of the one that `#[pin_data]` makes.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

struct Table;

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn project -> Table,
        device = &self.dev,
        init = Table,
    )]
    table: Table,

    #[lazy(
        fn ring -> Table,
        device = &self.dev,
        init = Table,
        revoke = r#project,
    )]
    ring: Table,
}

fn main() -> Result {
    Ok(())
}
