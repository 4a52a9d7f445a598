// SPDX-License-Identifier: Apache-2.0 OR MIT

use crate::macros::*;

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,
    #[lazy(fn table -> Table, device = &self.dev, init = Table)]
    table: Table,
}

#[derive(Debug)]
#[macros::lazy_fields]
#[pin_data]
struct Ring {
    dev: ARef<Device>,
    #[lazy(pub fn table -> Table, device = &self.dev, init = Table)]
    table: Table,
}

fn in_a_function() {
    #[pin_data]
    struct Last {
        dev: ARef<Device>,
        #[lazy(device = &self.dev, fn table, init = Table)]
        table: Table,
    }

    // Of another library.
    #[derive(Lazy)]
    struct Other {
        #[lazy(default = 4)]
        number: u32,
    }
}
