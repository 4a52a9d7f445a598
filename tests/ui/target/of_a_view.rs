// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The target of a view is not the field's type.

use kernel::{
    device::{Bound, Device},
    devres::{Map, Mapped},
    devres_lazy,
    prelude::*,
    sync::aref::ARef,
};

struct Doorbell;

// SAFETY: Nothing is mapped.
unsafe impl Map<Queue> for Doorbell {
    type Target = u32;
    type Keep = ();

    fn keep(_: &Queue) {}

    fn map(_: &Queue, _: &Device<Bound>) -> Result<core::ptr::NonNull<u32>> {
        Err(EIO)
    }

    unsafe fn unmap(_: &Queue, _: &(), _: core::ptr::NonNull<u32>) {}
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(fn bell, device = &self.dev, map = Doorbell)]
    bell: Mapped<Self, Doorbell>,

    #[lazy(fn other -> Mapped<Self, Doorbell>, device = &self.dev, map = Doorbell)]
    other: Mapped<Self, Doorbell>,
}

fn main() {}
