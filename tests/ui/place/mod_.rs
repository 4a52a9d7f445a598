// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A module.

use kernel::devres_lazy;

#[devres_lazy]
mod queue {
    pub struct Table;
}

fn main() {
    let _ = queue::Table;
}
