// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Another item.

use kernel::devres_lazy;

#[devres_lazy]
type Table = u32;

fn main() {
    let _: Table = 0;
}
