// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The marker implements `Map`, but for another owner.

use kernel::{
    device::{Bound, Device},
    devres::{Map, Mapped},
    devres_lazy,
    prelude::*,
    sync::aref::ARef,
};
use std::ptr::NonNull;

struct Other;

struct Marker;

// SAFETY: The pointer is to a static.
unsafe impl Map<Other> for Marker {
    type Target = u32;
    type Keep = ();

    fn keep(_: &Other) {}

    fn map(_: &Other, _: &Device<Bound>) -> Result<NonNull<u32>> {
        static TABLE: u32 = 0;
        Ok(NonNull::from(&TABLE))
    }

    unsafe fn unmap(_: &Other, _: &(), _: NonNull<u32>) {}
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> u32,
        device = &self.dev,
        map = Marker,
    )]
    table: Mapped<Self, Marker>,
}

fn main() {}
