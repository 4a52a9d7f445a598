// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A `map` field: a resource that is a view into its owner.

use core::{
    ptr::NonNull,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};
use kernel::{
    device::{Bound, Device},
    devres::{Map, Mapped},
    devres_lazy, new_lazy,
    prelude::*,
    sync::aref::ARef,
    testing::TestDevice,
};

struct Doorbell;

// SAFETY: `doorbell` is a field of the owner, which outlives the mapping and does not move.
unsafe impl Map<Queue> for Doorbell {
    type Target = AtomicU32;
    type Keep = ();

    fn keep(_: &Queue) {}

    fn map(queue: &Queue, _: &Device<Bound>) -> Result<NonNull<AtomicU32>> {
        queue.mapped.fetch_add(1, Relaxed);
        Ok(NonNull::from(&queue.doorbell))
    }

    unsafe fn unmap(queue: &Queue, _: &(), doorbell: NonNull<AtomicU32>) {
        assert_eq!(doorbell, NonNull::from(&queue.doorbell));
        queue.mapped.fetch_sub(1, Relaxed);
    }
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,
    doorbell: AtomicU32,
    mapped: AtomicU32,

    #[lazy(
        fn doorbell -> AtomicU32,
        device = &self.dev,
        map = Doorbell,
        peek = doorbell_if_mapped,
        try_access = try_doorbell,
        revoke = unmap_doorbell,
    )]
    view: Mapped<Self, Doorbell>,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let mut queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            doorbell: AtomicU32::new(0),
            mapped: AtomicU32::new(0),
            view <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    assert!(queue.doorbell_if_mapped(&bound)?.is_none());
    queue.doorbell(&bound)?.store(42, Relaxed);
    queue.doorbell(&bound)?.store(43, Relaxed);
    assert_eq!(queue.doorbell.load(Relaxed), 43);
    assert_eq!(queue.mapped.load(Relaxed), 1);
    assert!(queue.doorbell_if_mapped(&bound)?.is_some());
    assert!(queue.try_doorbell().is_some());

    queue.as_mut().unmap_doorbell();
    assert_eq!(queue.mapped.load(Relaxed), 0);

    queue.doorbell(&bound)?;
    bound.unbind();
    assert_eq!(queue.mapped.load(Relaxed), 0);
    assert!(queue.try_doorbell().is_none());
    Ok(())
}
