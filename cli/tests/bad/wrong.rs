// SPDX-License-Identifier: Apache-2.0 OR MIT

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(fn table, devise = &self.dev)]
    table: Table,
}

#[devres_lazy]
enum Other {}
