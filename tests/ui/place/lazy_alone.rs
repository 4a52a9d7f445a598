// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `#[lazy(..)]` in a struct that is not annotated.

use kernel::{device::Device, prelude::*, sync::aref::ARef};

struct Table;

#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Table,
    )]
    table: Table,
}

fn main() {}
