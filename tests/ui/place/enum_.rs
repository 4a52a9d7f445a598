// SPDX-License-Identifier: Apache-2.0 OR MIT

//! An enum has no fields that could be lazy in every variant.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

struct Table;

#[devres_lazy]
#[pin_data]
enum Queue {
    Mapped {
        dev: ARef<Device>,

        #[lazy(
            fn table -> Table,
            device = &self.dev,
            init = Table,
        )]
        table: Table,
    },
}

fn main() -> Result {
    Ok(())
}
