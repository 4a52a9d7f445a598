// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What keeps the resource of a slot until its device is unbound: the resource itself, in place,
//! and the slot's part in the registry of the device.
//!
//! One source for the host, the model checker and the kernel, under the same rule as the slot.
//!
//! # State
//!
//! A slot has one word of state, which a reader loads once:
//!
//! | `state` | meaning | left by |
//! |---|---|---|
//! | `EMPTY` | nothing is mapped | a holder of the slot's lock, by populating |
//! | a `struct device *` | populated for it, not revoked | unbind or the owner, by an exchange |
//! | `REVOKED` | unbind has begun; the resource is there | unbind or the owner, by an exchange |
//! | `DROPPING` | the resource is being dropped | the thread that drops it |
//! | `GONE` | the resource was dropped | the owner, by revoking or retiring |
//! | `RETIRED` | the owner is being dropped | nobody |
//!
//! The owner has exclusive access where it leaves a state. The slot is on the list of its registry
//! from the device on until `GONE`.
//!
//! Because the device pointer is itself the state, one acquire load and one comparison decide
//! three questions at once: is the slot populated, for the caller's device, in this binding of it?

use super::{
    registry::{
        has_registry,
        is_device,
        Node,
        Registry,
        EMPTY,
        RETIRED, //
    },
    sys,
};
use crate::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Relaxed, //
        },
        rcu,
        Arc, //
    },
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    mem::MaybeUninit,
    ops::Deref,
    ptr::{
        self,
        NonNull, //
    },
};

/// Keeps a resource, in place, until its device is unbound.
///
/// It has no destructor: its owner calls [`retire()`](Self::retire) before it is dropped.
///
/// # Invariants
///
/// - `registry` and `value` are written only while `state` is `EMPTY`, by a holder of the slot's
///   lock, or by the exclusive owner.
/// - Unless `state` is `EMPTY` or `RETIRED`, `registry` is the one that the node was linked to.
/// - While `state` is a device, `value` is initialised.
#[repr(C)]
pub(super) struct Container<T> {
    /// First, so that a pointer to it is one to the whole.
    node: Node,
    registry: UnsafeCell<Option<Arc<Registry>>>,
    value: UnsafeCell<MaybeUninit<T>>,
}

impl<T> Container<T> {
    /// Returns an empty container.
    pub(super) fn new() -> Self {
        // INVARIANT: `state` is `EMPTY`.
        Self {
            node: Node::new(Self::drop_value),
            registry: UnsafeCell::new(None),
            value: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// Drops the resource in place.
    ///
    /// # Safety
    ///
    /// `node` is that of a `Container<T>`, derived from a pointer to all of it, with a resource
    /// that nobody uses, and which nobody else drops.
    unsafe fn drop_value(node: NonNull<Node>) {
        let this = node.cast::<Self>().as_ptr();

        // CAST: `node` is the first field.
        // SAFETY: The container is valid by the safety requirement.
        let value = unsafe { &raw const (*this).value };

        // SAFETY: By the safety requirement there is a resource, and it is the caller's.
        unsafe { ptr::drop_in_place(UnsafeCell::raw_get(value).cast::<T>()) };
    }

    /// The node, as a pointer to all of the container.
    fn node(&self) -> NonNull<Node> {
        NonNull::from(self).cast()
    }

    /// Returns the resource if it is there, for `dev`, and was not revoked.
    #[inline]
    pub(super) fn get<'a>(&'a self, dev: &'a Device<Bound>) -> Option<&'a T> {
        // ORDERING: Pairs with the release in `Registry::link()`: who sees the device there also
        // sees the resource.
        if self.node.state.load(Acquire) != dev.as_raw() {
            return None;
        }
        let value = self.value.get().cast::<T>();

        // SAFETY:
        // - `value` is initialised: `state` is a device, by the type invariants.
        // - It is not dropped during `'a`: `state` is the address of `dev`, which is bound for
        //   `'a`, and so not yet as far in unbind as to come to the slot; and dropping or revoking
        //   the slot takes exclusive access to `self`.
        Some(unsafe { &*value })
    }

    /// Makes the resource in place.
    ///
    /// # Errors
    ///
    /// As [`Locked::populate()`](super::lazy::Locked::populate), whose work this is.
    ///
    /// # Safety
    ///
    /// - The caller holds the slot's lock.
    /// - `self` is pinned, and [`retire()`](Self::retire) is called before it is gone.
    pub(super) unsafe fn populate<'a, I, E>(
        &'a self,
        dev: &'a Device<Bound>,
        init: impl FnOnce() -> Result<I>,
    ) -> Result<&'a T>
    where
        T: Send + Sync,
        I: PinInit<T, E>,
        Error: From<E>,
    {
        match self.node.state.load(Relaxed) {
            EMPTY => (),
            state if is_device(state) => return Err(EINVAL),
            _ => return Err(ENXIO),
        }

        let registry = Registry::of(dev)?;
        let value = self.value.get().cast::<T>();

        // SAFETY:
        // - `state` is `EMPTY`, and the lock is held: nobody else accesses `value`, and there is
        //   nothing in it.
        // - It does not move, as `self` is pinned, and is not used if this fails.
        unsafe { sys::init_in_place(value, init()?) }?;

        // SAFETY: `state` is `EMPTY`, and the lock is held: nobody else accesses `registry`.
        unsafe { *self.registry.get() = Some(registry.clone()) };

        let linked = sys::to_the_end(|| {
            // SAFETY:
            // - `registry` is that of `dev`.
            // - The slot is empty, its lock is held, and its resource was made above, and is
            //   `Send`.
            // - It stays where it is, and `drop_resource()` removes it before it is gone.
            // INVARIANT: When `state` becomes a device, both others were written.
            unsafe { registry.link(self.node(), dev) }
        });
        if let Err(error) = linked {
            // SAFETY: The slot is still empty, and the lock held.
            unsafe { *self.registry.get() = None };

            // SAFETY: `node()` is derived from all of `self`. The resource was made above, nobody
            // else has seen it, and it is on no list, so nobody else drops it.
            unsafe { Self::drop_value(self.node()) };
            return Err(error);
        }

        // SAFETY: The resource was just made, and stays while `dev` is bound: see `get()`.
        Ok(unsafe { &*value })
    }

    /// Returns a guard to the resource if it is there and was not revoked.
    #[inline]
    pub(super) fn try_access(&self) -> Option<ContainerGuard<'_, T>> {
        let guard = rcu::read_lock();

        // ORDERING: As in `get()`.
        if !is_device(self.node.state.load(Acquire)) {
            return None;
        }
        // SAFETY: `state` is a device, so by the type invariants `registry` was written, and is not
        // written again while `self` is shared.
        let registry = unsafe { &*self.registry.get() }.as_ref()?;
        registry.announce();

        // Whoever unbinds from here on waits for `guard`. Relaxed, as the resource was acquired
        // above.
        // INVARIANT: The resource was there after the announcement.
        is_device(self.node.state.load(Relaxed)).then(|| ContainerGuard {
            value: self.value.get().cast(),
            _guard: guard,
            _container: PhantomData,
        })
    }

    /// Drops the resource, if it is there, and leaves the container empty, unless it was retired.
    ///
    /// # Safety
    ///
    /// Nobody else uses the slot, except unbind and code that dropping the resource calls.
    pub(super) unsafe fn revoke(&self) {
        if self.node.state.load(Relaxed) == RETIRED {
            return;
        }

        sys::to_the_end(|| {
            // SAFETY: Nobody else uses the slot: the caller guarantees it.
            unsafe { self.drop_resource(EMPTY) }
        });
    }

    /// Drops the resource, if it is there, and refuses every other one.
    ///
    /// # Safety
    ///
    /// As for [`revoke()`](Self::revoke).
    pub(super) unsafe fn retire(&self) {
        sys::postponed(self.node().addr(), || {
            // SAFETY: Nobody else uses the slot: the caller guarantees it.
            unsafe { self.drop_resource(RETIRED) }
        });
    }

    /// As [`retire()`](Self::retire), for the destructor of the slot itself.
    ///
    /// # Safety
    ///
    /// As for [`revoke()`](Self::revoke).
    pub(super) unsafe fn end(&self) {
        // SAFETY: Nobody else uses the slot: the caller guarantees it.
        unsafe { self.retire() };

        sys::resume(self.node().addr());
    }

    /// Drops the resource, if it is there, and leaves the container in the state `then`, which is
    /// `EMPTY` or `RETIRED`.
    ///
    /// # Safety
    ///
    /// As for [`revoke()`](Self::revoke).
    unsafe fn drop_resource(&self, then: *mut bindings::device) {
        if has_registry(self.node.state.load(Relaxed)) {
            // SAFETY: Nobody writes `registry` meanwhile: unbind does not, and code that dropping
            // the resource calls does not find the slot empty.
            if let Some(registry) = unsafe { &*self.registry.get() } {
                // SAFETY:
                // - By the type invariants the node was linked to `registry`, and its state is
                //   neither `EMPTY` nor `RETIRED`.
                // - Nobody else uses the slot: the caller guarantees it.
                unsafe { registry.remove(self.node()) };
            }
        }

        // SAFETY: The resource is gone, and unbind does not touch the slot after that: nobody else
        // accesses `registry`.
        unsafe { *self.registry.get() = None };

        // INVARIANT: The resource is gone, and the node is on no list.
        self.node.state.store(then, Relaxed);
    }
}

/// A guard that keeps the resource from being dropped.
///
/// # Invariants
///
/// `value` points to a resource that is not dropped before the RCU read-side critical section has
/// ended.
pub(super) struct ContainerGuard<'a, T> {
    /// A pointer, as a reference would have to be good until a function returns that takes the
    /// guard by value and drops it.
    value: *const T,
    _guard: rcu::Guard,
    _container: PhantomData<&'a T>,
}

impl<T> Deref for ContainerGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariants.
        unsafe { &*self.value }
    }
}

/// Makes the registry of a device, if there is none.
///
/// # Errors
///
/// As [`prepare()`](super::lazy::prepare), whose work this is.
pub(super) fn prepare(dev: &Device<Bound>) -> Result {
    Registry::of(dev).map(|_| ())
}
