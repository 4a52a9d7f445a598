// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A union has no destructor of its own for its fields.

use kernel::devres_lazy;

struct Table;

#[devres_lazy]
union Queue {
    #[lazy(fn table -> Table, device = device(), init = Table)]
    table: core::mem::ManuallyDrop<Table>,
}

fn main() {}
