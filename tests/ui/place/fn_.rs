// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A function: the author meant the accessor.

use kernel::devres_lazy;

struct Table;

#[devres_lazy]
fn table() -> Table {
    Table
}

fn main() {
    table();
}
