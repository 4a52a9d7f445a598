// SPDX-License-Identifier: Apache-2.0 OR MIT

//! An item inside of a struct, where `Self` is not the struct.

use kernel::prelude::*;

#[pin_data]
struct Ring {
    slots: [u32; {
        struct Size;

        impl Size {
            const OF: usize = size_of::<Self>();
        }

        Size::OF
    }],
}

fn main() {}
