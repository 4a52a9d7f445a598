// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A mistake in each of two fields.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

struct Table;

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table,
        init = Table,
    )]
    table: Table,

    #[lazy(
        fn ring -> Table,
        device = &self.dev,
        init = Table,
        colour = red,
    )]
    ring: Table,
}

fn main() -> Result {
    Ok(())
}
