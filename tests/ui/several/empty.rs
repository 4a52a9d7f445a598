// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Nothing is said: all that has to be is missing.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

struct Table;

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy()]
    table: Table,
}

fn main() -> Result {
    Ok(())
}
