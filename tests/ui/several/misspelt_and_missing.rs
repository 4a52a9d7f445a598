// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A misspelt key, and a missing one.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

struct Table;

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table,
        devise = &self.dev,
    )]
    table: Table,
}

fn main() -> Result {
    Ok(())
}
