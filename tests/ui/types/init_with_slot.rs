// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Locals of the accessor are not the author's to use.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

struct Table;

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = { let _ = slot; Table },
    )]
    table: Table,
}

fn main() {}
