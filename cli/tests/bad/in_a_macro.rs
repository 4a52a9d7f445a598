// SPDX-License-Identifier: Apache-2.0 OR MIT

queue! {
    #[devres_lazy]
    #[pin_data]
    struct Queue {}
}
