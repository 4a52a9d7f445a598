// SPDX-License-Identifier: Apache-2.0 OR MIT

use kernel::devres_lazy as lazy_fields;

#[lazy_fields]
#[pin_data]
struct Queue {
    dev: ARef<Device>,
    #[lazy(fn table -> Table, device = &self.dev, init = Table)]
    table: Table,
}
