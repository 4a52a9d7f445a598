// SPDX-License-Identifier: Apache-2.0 OR MIT

//! There is no such type.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

struct Table;

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Tabel,
        device = &self.dev,
        init = Table,
        peek = table_if_mapped,
    )]
    table: Table,
}

fn main() {}
