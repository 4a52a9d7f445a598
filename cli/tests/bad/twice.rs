// SPDX-License-Identifier: Apache-2.0 OR MIT

#[devres_lazy]
#[devres_lazy]
#[pin_data]
struct Queue {
    #[lazy(fn table, device = &self.dev, init = Table)]
    table: Table,
}
