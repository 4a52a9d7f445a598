// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The fields of a tuple struct have no names to initialise them by.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

struct Table;

#[devres_lazy]
#[pin_data]
struct Queue(
    ARef<Device>,
    #[lazy(fn table -> Table, device = &self.0, init = Table)] Table,
);

fn main() -> Result {
    Ok(())
}
