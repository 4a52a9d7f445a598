// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `map` is needed for a view into the owner: there is no other way to make one without `unsafe`.

use kernel::{
    device::{Bound, Device},
    devres::{Map, Mapped},
    devres_lazy,
    prelude::*,
    sync::aref::ARef,
};
use std::ptr::NonNull;

struct Marker;

// SAFETY: The pointer is to a static.
unsafe impl Map<Queue> for Marker {
    type Target = u32;
    type Keep = ();

    fn keep(_: &Queue) {}

    fn map(_: &Queue, _: &Device<Bound>) -> Result<NonNull<u32>> {
        static TABLE: u32 = 0;
        Ok(NonNull::from(&TABLE))
    }

    unsafe fn unmap(_: &Queue, _: &(), _: NonNull<u32>) {}
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> u32,
        device = &self.dev,
        init = Mapped::new(self, dev),
    )]
    table: Mapped<Self, Marker>,
}

fn main() {}
