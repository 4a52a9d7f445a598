// SPDX-License-Identifier: Apache-2.0 OR MIT

use kernel::{devres_lazy as lazy_fields, devres_lazy};

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,
    #[lazy(fn table -> Table, device = &self.dev, init = Table)]
    table: Table,
}

#[lazy_fields]
#[pin_data]
struct Ring {
    dev: ARef<Device>,
    #[lazy(fn table -> Table, device = &self.dev, init = Table)]
    table: Table,
}

#[lazy_fields]
#[pinned_drop]
impl PinnedDrop for Ring {
    fn drop(self: Pin<&mut Self>) {}
}

#[cfg_attr(all(), lazy_fields)]
#[pin_data]
struct Last {}
