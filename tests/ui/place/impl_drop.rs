// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `Drop`, where a pinned object has `PinnedDrop`.

use kernel::devres_lazy;

struct Queue;

#[devres_lazy]
impl Drop for Queue {
    fn drop(&mut self) {}
}

fn main() {}
