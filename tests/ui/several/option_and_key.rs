// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A mistake in the attribute, and one in a field.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

struct Table;

#[devres_lazy(krate = devres_lazy)]
#[pin_data]
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
