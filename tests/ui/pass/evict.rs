// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `evict` unmaps while the object is shared: a resource, what one derefs to, a trait object and a
//! view. The accessors and `peek` lend pins.

use core::ptr::NonNull;
use kernel::{
    device::{Bound, Device},
    devres::{Map, Mapped},
    devres_lazy, new_evictable_lazy, new_lazy,
    prelude::*,
    sync::{aref::ARef, Arc},
    testing::TestDevice,
};

trait Ops: Send + Sync {
    fn value(&self) -> u32;
}

impl Ops for u32 {
    fn value(&self) -> u32 {
        *self
    }
}

struct Doorbell;

// SAFETY: `doorbell` is a field of the owner, which outlives the mapping and does not move. Nobody
// writes to it.
unsafe impl<T: Send + Sync + 'static> Map<Queue<T>> for Doorbell
where
    Queue<T>: kernel::devres::TeardownFirst,
{
    type Target = u32;
    type Keep = ();

    fn keep(_: &Queue<T>) {}

    fn map(queue: &Queue<T>, _dev: &Device<Bound>) -> Result<NonNull<u32>> {
        Ok(NonNull::from(&queue.doorbell))
    }

    unsafe fn unmap(_: &Queue<T>, _keep: &(), _doorbell: NonNull<u32>) {}
}

#[devres_lazy]
#[pin_data]
struct Queue<T: Send + Sync + 'static> {
    dev: ARef<Device>,
    doorbell: u32,
    of: Arc<T>,

    /// By itself.
    #[lazy(
        fn table,
        device = &self.dev,
        init = [1, 2, 3],
        peek = table_if_mapped,
        revoke = unmap_table,
        evict = evict_table,
    )]
    table: [u32; 3],

    /// By what it derefs to.
    #[lazy(fn boxed -> u32, device = &self.dev, init = KBox::new(42, GFP_KERNEL)?, evict = evict_boxed)]
    boxed: KBox<u32>,

    /// By what a vector derefs to.
    #[lazy(fn list -> [Arc<T>], device = &self.dev, init = list(&self.of)?, evict = evict_list)]
    list: KVec<Arc<T>>,

    /// As a trait object.
    #[lazy(
        fn ops -> dyn Ops + Send,
        device = &self.dev,
        init = ops(),
        peek = ops_if_made,
        evict = evict_ops,
    )]
    ops: Box<dyn Ops + Send>,

    /// As a view.
    #[lazy(fn doorbell -> u32, device = &self.dev, map = Doorbell, evict = evict_doorbell)]
    view: Mapped<Self, Doorbell>,

    /// Beside one that is not evicted.
    #[lazy(fn other -> u32, device = &self.dev, init = 43, try_access = try_other)]
    other: u32,
}

fn list<T>(of: &Arc<T>) -> Result<KVec<Arc<T>>> {
    let mut list = KVec::new();
    list.push(of.clone(), GFP_KERNEL)?;
    Ok(list)
}

fn ops() -> Box<dyn Ops + Send> {
    Box::new(44)
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let mut queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            doorbell: 45,
            of: Arc::new(46_u64, GFP_KERNEL)?,
            table <- new_evictable_lazy!(),
            boxed <- new_evictable_lazy!("Queue::boxed"),
            list <- new_evictable_lazy!(),
            ops <- new_evictable_lazy!(),
            view <- new_evictable_lazy!(),
            other <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    assert!(queue.table_if_mapped(&bound)?.is_none());
    assert_eq!(queue.evict_table(), Ok(false));
    let table = queue.table(&bound)?;
    assert_eq!(*table, [1, 2, 3]);
    assert_eq!(queue.evict_table(), Err(EBUSY));
    drop(table);
    assert_eq!(queue.table_if_mapped(&bound)?.as_deref(), Some(&[1, 2, 3]));
    assert_eq!(queue.evict_table(), Ok(true));
    assert!(queue.table_if_mapped(&bound)?.is_none());
    assert_eq!(*queue.table(&bound)?, [1, 2, 3]);
    queue.as_mut().unmap_table();
    assert_eq!(queue.evict_table(), Ok(false));

    assert_eq!(*queue.boxed(&bound)?, 42);
    assert_eq!(queue.evict_boxed(), Ok(true));
    assert_eq!(*queue.list(&bound)?[0], 46);
    assert_eq!(queue.evict_list(), Ok(true));
    assert_eq!(queue.ops(&bound)?.value(), 44);
    assert_eq!(queue.ops_if_made(&bound)?.map(|ops| ops.value()), Some(44));
    assert_eq!(queue.evict_ops(), Ok(true));
    assert_eq!(*queue.doorbell(&bound)?, 45);
    assert_eq!(queue.evict_doorbell(), Ok(true));
    assert_eq!(*queue.other(&bound)?, 43);
    assert!(queue.try_other().is_some());
    Ok(())
}
