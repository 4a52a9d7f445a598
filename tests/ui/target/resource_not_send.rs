// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The resource is dropped on the thread that unbinds.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};
use std::sync::MutexGuard;

fn guard() -> MutexGuard<'static, u32> {
    unimplemented!()
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> MutexGuard<'static, u32>,
        device = &self.dev,
        init = guard(),
    )]
    table: MutexGuard<'static, u32>,
}

fn main() {}
