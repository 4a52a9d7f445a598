// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The last field of the object need not have a size that is known.

#![deny(warnings)]

use kernel::{
    device::{Bound, Device},
    devres::{Map, Mapped},
    devres_lazy, new_lazy,
    prelude::*,
    sync::aref::ARef,
    testing::TestDevice,
};
use std::ptr::NonNull;

struct Table(u32);

#[devres_lazy]
#[pin_data]
struct Queue<T: ?Sized> {
    dev: ARef<Device>,
    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Table(42),
        peek = table_if_mapped,
        try_access = try_table,
        revoke = unmap,
    )]
    table: Table,
    tail: T,
}

#[devres_lazy]
#[pin_data(PinnedDrop)]
struct Ring<T>
where
    T: ?Sized + Send,
{
    dev: ARef<Device>,
    #[lazy(fn table -> [u32], device = &self.dev, init = vec![1, 2])]
    table: Vec<u32>,
    tail: T,
}

#[devres_lazy]
#[pinned_drop]
impl<T> PinnedDrop for Ring<T>
where
    T: ?Sized + Send,
{
    fn drop(self: Pin<&mut Self>) {
        assert!(self.try_is_empty());
    }
}

impl<T: ?Sized + Send> Ring<T> {
    fn try_is_empty(&self) -> bool {
        // Retired by the teardown, which comes first.
        size_of_val(&self.tail) == 4
    }
}

/// A view into an owner that has no size, which nobody can make yet, but declare.
#[devres_lazy]
#[pin_data]
struct View {
    dev: ARef<Device>,
    len: u32,
    #[lazy(fn len -> u32, device = &self.dev, map = Len, peek = len_if_mapped, revoke = unmap)]
    view: Mapped<Self, Len>,
    tail: [u8],
}

struct Len;

// SAFETY: The pointer is to a part of the owner, whose destructor the macro writes.
unsafe impl Map<View> for Len {
    type Target = u32;
    type Keep = ();

    fn keep(_: &View) {}

    fn map(owner: &View, _: &Device<Bound>) -> Result<NonNull<u32>> {
        Ok(NonNull::from(&owner.len))
    }

    unsafe fn unmap(owner: &View, (): &(), _: NonNull<u32>) {
        let _ = &owner.tail;
    }
}

/// What the kernel's `KBox` does by itself.
fn coerced<T, U: ?Sized>(object: Pin<KBox<T>>, coerce: fn(*mut T) -> *mut U) -> Pin<KBox<U>> {
    // SAFETY: It is pinned again below.
    let object = KBox::into_raw(unsafe { Pin::into_inner_unchecked(object) });

    // SAFETY: It is the pointer from above, to the same object.
    KBox::into_pin(unsafe { KBox::from_raw(coerce(object)) })
}

fn is_declared(view: Pin<&mut View>, dev: &Device<Bound>) -> Result<bool> {
    let is_mapped = view.len(dev)? == &0 && view.len_if_mapped(dev)?.is_some();
    view.unmap();
    Ok(is_mapped)
}

fn main() -> Result {
    let _ = is_declared;

    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue: Pin<KBox<Queue<[u8; 3]>>> = KBox::pin_init(
        try_pin_init!(Queue { dev, table <- new_lazy!(), tail: [1, 2, 3] }),
        GFP_KERNEL,
    )?;
    let mut queue = coerced(queue, |queue| -> *mut Queue<[u8]> { queue });
    assert!(queue.table_if_mapped(&bound)?.is_none());
    assert_eq!(queue.table(&bound)?.0, 42);
    assert!(queue.try_table().is_some());
    queue.as_mut().unmap();
    assert!(queue.try_table().is_none());
    assert_eq!(queue.table(&bound)?.0, 42);
    assert_eq!(queue.tail.len(), 3);

    let dev = bound.device();
    let ring: Pin<KBox<Ring<u32>>> = KBox::pin_init(
        try_pin_init!(Ring { dev, table <- new_lazy!(), tail: 7 }),
        GFP_KERNEL,
    )?;
    let ring = coerced(ring, |ring| -> *mut Ring<dyn Send> { ring });
    assert_eq!(ring.table(&bound)?, [1, 2]);
    drop(ring);
    bound.unbind();
    assert!(queue.try_table().is_none());
    Ok(())
}
