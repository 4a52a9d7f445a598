// SPDX-License-Identifier: Apache-2.0 OR MIT

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,
    #[lazy(fn table -> Table, device = &self.dev, init = Table)]
    table: Table,
}

driver_object! {
    struct Ring {
        dev: ARef<Device>,
        #[lazy(fn table -> Table, device = &self.dev, init = Table)]
        table: Table,
    }
}
