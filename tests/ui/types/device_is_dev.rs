// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `dev`, which is what is compared, is not in the scope of `device`, however that is written.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

struct Table;

#[devres_lazy]
#[pin_data]
struct Queue {
    parent: ARef<Device>,

    #[lazy(
        fn table -> Table,
        device = {
            let _ = &self.parent;
            dev
        },
        init = Table,
        peek = table_if_mapped,
    )]
    table: Table,
}

fn main() {}
