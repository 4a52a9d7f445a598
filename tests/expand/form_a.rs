// SPDX-License-Identifier: Apache-2.0 OR MIT

use devres_lazy::{
    device::Device,
    devres_lazy,
    prelude::*,
    sync::aref::ARef, //
};

pub struct Table;

#[devres_lazy]
#[pin_data]
pub struct Queue {
    dev: ARef<Device>,

    /// The queue's translation table.
    #[lazy(
        pub fn table -> Table,
        device = &self.dev,
        init = Table,
    )]
    table: Table,
}
