// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is wrong with the struct, and what is wrong with a field.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

struct Table;

#[devres_lazy]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table,
        device = &self.dev,
    )]
    table: Table,
}

fn main() -> Result {
    Ok(())
}
