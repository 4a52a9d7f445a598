// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Types that are not covariant: a caller could put what it borrows into the resource.

use kernel::{
    device::{Bound, Device},
    devres_lazy, new_mutex,
    prelude::*,
    sync::{aref::ARef, Mutex},
    types::ForLt,
};

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn last -> Mutex<Option<&Device<Bound>>>,
        device = &self.dev,
        init = new_mutex!(Some(dev)),
        peek = peek_last,
    )]
    last: ForLt!(Mutex<Option<&Device<Bound>>>),
}

fn main() {}
