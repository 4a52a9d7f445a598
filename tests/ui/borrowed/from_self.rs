// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The resource borrows from the object.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef, types::ForLt};

struct Window<'a> {
    names: &'a [u32],
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,
    names: [u32; 4],

    #[lazy(
        fn window -> Window<'_>,
        device = &self.dev,
        init = Window { names: &self.names },
    )]
    window: ForLt!(Window<'_>),
}

fn main() {}
