// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A `map` field with something that unmapping needs, and that the owner does not keep alive.

use kernel::{
    device::{Bound, Device},
    devres::{Map, Mapped},
    devres_lazy, new_lazy,
    prelude::*,
    sync::aref::ARef,
    testing::TestDevice,
};
use std::{
    ptr::NonNull,
    sync::{
        atomic::{AtomicU32, Ordering::Relaxed},
        Arc, Weak,
    },
};

/// What maps and unmaps, and would be gone with the driver.
struct Mmu {
    mapped: AtomicU32,
}

struct Window;

// SAFETY: `window` is a field of the owner, which outlives the mapping and does not move.
unsafe impl<T: Send + Sync + 'static> Map<Queue<T>> for Window {
    type Target = T;
    type Keep = Arc<Mmu>;

    fn keep(queue: &Queue<T>) -> Arc<Mmu> {
        // There is always one when something is mapped.
        queue.mmu.upgrade().expect("the driver is bound")
    }

    fn map(queue: &Queue<T>, _: &Device<Bound>) -> Result<NonNull<T>> {
        let mmu = queue.mmu.upgrade().ok_or(ENODEV)?;
        mmu.mapped.fetch_add(1, Relaxed);
        Ok(NonNull::from(&queue.window))
    }

    unsafe fn unmap(_: &Queue<T>, mmu: &Arc<Mmu>, _: NonNull<T>) {
        mmu.mapped.fetch_sub(1, Relaxed);
    }
}

#[devres_lazy]
#[pin_data]
struct Queue<T: Send + Sync + 'static> {
    dev: ARef<Device>,
    mmu: Weak<Mmu>,
    window: T,

    #[lazy(
        fn window -> T,
        device = &self.dev,
        map = Window,
        revoke = unmap_window,
    )]
    view: Mapped<Self, Window>,
}

impl<T: Send + Sync + 'static> Queue<T> {
    fn new(dev: ARef<Device>, mmu: Weak<Mmu>, window: T) -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            try_pin_init!(Self {
                dev,
                mmu,
                window,
                view <- new_lazy!("Queue::view"),
            }),
            GFP_KERNEL,
        )
    }
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let mmu = Arc::new(Mmu {
        mapped: AtomicU32::new(0),
    });
    let weak = Arc::downgrade(&mmu);
    let queue = Queue::new(bound.device(), weak.clone(), [1u8, 2, 3])?;

    assert_eq!(queue.window(&bound)?, &[1, 2, 3]);
    assert_eq!(mmu.mapped.load(Relaxed), 1);

    // The mapping holds the last reference.
    drop(mmu);
    assert!(weak.upgrade().is_some());
    bound.unbind();
    assert!(weak.upgrade().is_none());
    Ok(())
}
