// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A guard does not keep the device bound, so it does not lead to a resource that may contain the
//! bound device.

use kernel::{devres::LazyLt, pci::Bar};

fn through_a_guard(slot: &LazyLt<Bar<'static>>) {
    if let Some(guard) = slot.try_access() {
        let _: &Bar<'_> = &guard;
    }
}

fn main() {}
