// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The author has a method of that name.

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
}

impl Queue {
    fn table(&self) -> u32 {
        0
    }
}

fn main() -> Result {
    Ok(())
}
