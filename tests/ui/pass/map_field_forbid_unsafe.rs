// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A `map` field, in a module that forbids `unsafe`: what is unsafe about it is the marker, which is
//! elsewhere.

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

mod doorbell {
    use super::*;

    pub(crate) struct Doorbell;

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
}

mod queue {
    #![forbid(unsafe_code)]

    use super::*;

    #[devres_lazy]
    #[pin_data]
    pub(crate) struct Queue {
        dev: ARef<Device>,
        pub(crate) doorbell: AtomicU32,
        pub(crate) mapped: AtomicU32,

        #[lazy(
            pub(crate) fn doorbell -> AtomicU32,
            device = &self.dev,
            map = Doorbell,
            peek = doorbell_if_mapped,
            try_access = try_doorbell,
            revoke = unmap_doorbell,
        )]
        view: Mapped<Self, Doorbell>,
    }

    impl Queue {
        pub(crate) fn new(dev: ARef<Device>) -> Result<Pin<KBox<Self>>> {
            KBox::pin_init(
                try_pin_init!(Self {
                    dev,
                    doorbell: AtomicU32::new(0),
                    mapped: AtomicU32::new(0),
                    view <- new_lazy!(),
                }),
                GFP_KERNEL,
            )
        }
    }
}

use doorbell::Doorbell;
use queue::Queue;

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let mut queue = Queue::new(bound.device())?;

    queue.doorbell(&bound)?.store(42, Relaxed);
    assert_eq!(queue.doorbell.load(Relaxed), 42);
    assert_eq!(queue.mapped.load(Relaxed), 1);
    assert!(queue.doorbell_if_mapped(&bound)?.is_some());
    assert!(queue.try_doorbell().is_some());
    queue.as_mut().unmap_doorbell();
    assert_eq!(queue.mapped.load(Relaxed), 0);
    bound.unbind();
    Ok(())
}
