// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A type parameter is for all threads only if it says so.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

#[devres_lazy]
#[pin_data]
struct Queue<T: Default + Send + 'static> {
    dev: ARef<Device>,

    #[lazy(
        fn table -> T,
        device = &self.dev,
        init = self.make(),
    )]
    table: T,
}

impl<T: Default + Send + 'static> Queue<T> {
    fn make(&self) -> T {
        T::default()
    }
}

fn main() {}
