// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Another key of a view is wrong, and the one of two such fields lacks its accessor.

use kernel::{
    device::{Bound, Device},
    devres::{Map, Mapped},
    devres_lazy, new_lazy,
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

struct Other;

// SAFETY: The pointer is to a static.
unsafe impl Map<Queue> for Other {
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
        devise = &self.dev,
        map = Marker,
    )]
    table: Mapped<Self, Marker>,

    #[lazy(
        device = &self.dev,
        map = Other,
    )]
    ring: Mapped<Self, Other>,
}

impl Queue {
    fn new(dev: &Device) -> Result<Pin<KBox<Self>>> {
        KBox::try_pin_init(
            try_pin_init!(Self {
                dev: dev.into(),
                table <- new_lazy!(),
                ring <- new_lazy!(),
            }),
            GFP_KERNEL,
        )
    }
}

fn main() {
    let _ = (Queue::new, Queue::table);
}
