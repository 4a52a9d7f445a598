// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A trait.

use kernel::devres_lazy;

struct Table;

#[devres_lazy]
trait Queue {
    fn table(&self) -> Table;
}

fn main() {}
