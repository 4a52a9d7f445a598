// SPDX-License-Identifier: Apache-2.0 OR MIT

//! An inherent `impl`: the author meant the destructor.

use kernel::devres_lazy;

struct Queue;

#[devres_lazy]
impl Queue {
    fn len(&self) -> usize {
        0
    }
}

fn main() {
    Queue.len();
}
