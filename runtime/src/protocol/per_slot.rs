// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The other thing that a slot can keep its resource in: a `Devres` of its own.
//!
//! One source for the host and the kernel, under the same rule as the slot. It is an option, for
//! who does not want the registry, and to measure against. It has the interface of `container`, and
//! takes its place.
//!
//! What the accessors promise stays the same, rebind and access in the middle of unbind included:
//! both are told by the slot's own state, which the resource changes when it goes. This is weaker:
//!
//! - Unbind waits for a grace period for each populated slot, whether anybody has asked for a guard
//!   or not.
//! - A free walks the device's list of managed resources to find its node, with interrupts off.
//! - Each populated slot takes an allocation, where the resource is, so an access loads one pointer
//!   more.
//! - A *first* access in the middle of unbind, as a callback of a devres node can make, is served,
//!   and unbind misses what it maps. That stays on the device, which refuses to be bound again
//!   until the slot is revoked or gone.
//! - `prepare()` does nothing: a callback on another thread that is lent a resource when unbind
//!   begins must not keep it, as with each `Devres`, and what was populated after its registration
//!   is revoked before that.
//!
//! Each slot has a place of its own among what devres releases: the resources of a device are
//! dropped in the reverse order of population, with others that were registered in between.
//!
//! # State
//!
//! | `state` | meaning | who leaves it |
//! |---|---|---|
//! | `EMPTY` | nothing is mapped | a holder of the slot's lock, by populating |
//! | a `struct device *` | populated for it, and not revoked | unbind, or the exclusive owner |
//! | `REVOKED` | the resource is being dropped, or is gone | the exclusive owner, by revoking |
//! | `RETIRED` | the owner is being dropped | nobody |

use crate::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    devres::Devres,
    prelude::*,
    revocable::RevocableGuard,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    },
};
use core::{
    cell::UnsafeCell,
    marker::PhantomPinned,
    ops::Deref,
    ptr::{
        self,
        NonNull, //
    },
};

/// Nothing is mapped.
const EMPTY: *mut bindings::device = ptr::null_mut();

/// The resource is being dropped, or is gone.
const REVOKED: *mut bindings::device = ptr::without_provenance_mut(1);

/// The owner's destructor has begun.
const RETIRED: *mut bindings::device = ptr::without_provenance_mut(2);

/// Is this state the address of a device? No `struct device` has the address of another state.
#[inline]
fn is_device(state: *mut bindings::device) -> bool {
    state.addr() > RETIRED.addr()
}

/// Keeps a resource until its device is unbound.
///
/// Who owns it calls [`retire()`](Self::retire) before it goes.
///
/// # Invariants
///
/// - `devres` and `value` are written only while `state` is not a device, by a holder of the slot's
///   lock, or by the exclusive owner.
/// - While `state` is a device, `devres` is there, was created with that device, and `value` points
///   to the resource in it.
pub(super) struct Container<T: 'static> {
    state: Atomic<*mut bindings::device>,
    value: UnsafeCell<*const T>,
    devres: UnsafeCell<Option<Devres<Entry<T>>>>,
    /// The entry knows the address of `state`.
    _pin: PhantomPinned,
}

impl<T: 'static> Container<T> {
    /// Returns an empty container.
    pub(super) fn new() -> Self {
        // INVARIANT: `state` is `EMPTY`.
        Self {
            state: Atomic::new(EMPTY),
            value: UnsafeCell::new(ptr::null()),
            devres: UnsafeCell::new(None),
            _pin: PhantomPinned,
        }
    }

    /// Returns the resource if it is there, for `dev`, and was not revoked.
    #[inline]
    pub(super) fn get<'a>(&'a self, dev: &'a Device<Bound>) -> Option<&'a T> {
        // ORDERING: Pairs with the release in `populate()`: who sees the device there also sees
        // `value`, and the resource behind it.
        if self.state.load(Acquire) != dev.as_raw() {
            return None;
        }

        // SAFETY: `state` is a device, so by the type invariants `value` was written, and is not
        // written again while `self` is shared.
        let value = unsafe { *self.value.get() };

        // SAFETY:
        // - `value` points to the resource, by the type invariants.
        // - It is not dropped during `'a`: `state` is the address of `dev`, which is bound for
        //   `'a`, and unbind waits for that; and dropping or revoking the slot takes exclusive
        //   access to `self`.
        Some(unsafe { &*value })
    }

    /// Makes the resource.
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
        match self.state.load(Relaxed) {
            EMPTY => (),
            state if is_device(state) => return Err(EINVAL),
            _ => return Err(ENXIO),
        }

        // INVARIANT: `state` is that of the container which this becomes part of, or is dropped
        // before; and `T` is `Send` and `Sync`.
        let devres = Devres::new::<Error>(
            dev,
            try_pin_init!(Entry {
                state: NonNull::from(&self.state),
                value <- init()?,
            }),
        )?;
        // If unbind has already dropped it, the slot is revoked.
        let value = ptr::from_ref(&devres.try_access().ok_or(ENXIO)?.value);

        // SAFETY: The lock is held, and `state` was `EMPTY`. If it is not, it is `REVOKED`, by
        // unbind: nobody else accesses `value`.
        unsafe { *self.value.get() = value };

        // SAFETY: As above, nobody else accesses `devres`.
        unsafe { *self.devres.get() = Some(devres) };

        // ORDERING: Pairs with the acquires of who reads the slot.
        // INVARIANT: Both others were written. If the resource is gone already, `Entry` has marked
        // the slot, and that stays.
        match self.state.cmpxchg(EMPTY, dev.as_raw(), Release) {
            // SAFETY: The resource was just made, and stays while `dev` is bound: see `get()`.
            Ok(_) => Ok(unsafe { &*value }),
            Err(_) => Err(ENXIO),
        }
    }

    /// Returns a guard to the resource if it is there and was not revoked.
    #[inline]
    pub(super) fn try_access(&self) -> Option<ContainerGuard<'_, T>> {
        // ORDERING: As in `get()`.
        if !is_device(self.state.load(Acquire)) {
            return None;
        }
        // SAFETY: `state` is a device, so by the type invariants `devres` was written, and is not
        // written again while `self` is shared.
        let devres = unsafe { &*self.devres.get() }.as_ref()?;

        devres.try_access().map(ContainerGuard)
    }

    /// Drops the resource, if it is there, and leaves the container empty, unless it was retired.
    ///
    /// # Safety
    ///
    /// Nobody else uses the slot, but what dropping the resource calls.
    pub(super) unsafe fn revoke(&self) {
        if self.state.load(Relaxed) != RETIRED {
            // SAFETY: By the safety requirement.
            unsafe { self.drop_resource(EMPTY) };
        }
    }

    /// Drops the resource, if it is there, and lets nobody make another one.
    ///
    /// # Safety
    ///
    /// As for [`revoke()`](Self::revoke).
    pub(super) unsafe fn retire(&self) {
        // SAFETY: By the safety requirement.
        unsafe { self.drop_resource(RETIRED) };
    }

    /// Drops the resource, if it is there, and leaves the container in the state `then`, which is
    /// one without a resource.
    ///
    /// # Safety
    ///
    /// As for [`revoke()`](Self::revoke).
    unsafe fn drop_resource(&self, then: *mut bindings::device) {
        // INVARIANT: `devres` goes next. What dropping the resource calls may come back to the
        // slot, and finds nothing.
        self.state.store(REVOKED, Relaxed);

        // SAFETY: Nobody else accesses `devres`: what dropping the resource calls comes after this,
        // and finds the state `REVOKED`.
        let devres = unsafe { (*self.devres.get()).take() };
        // If unbind is dropping the resource, this waits until it is done.
        drop(devres);

        // INVARIANT: The resource is gone, and with it who could still change the state.
        self.state.store(then, Relaxed);
    }
}

/// The resource as its `Devres` holds it: when it goes, the slot is told first.
///
/// # Invariants
///
/// - `state` is that of the container that holds this entry, or is about to.
/// - `T` is `Send` and `Sync`: entries are made in [`Container::populate()`] only, which asks for
///   that so that it does not have to be asked for wherever a slot is named.
#[pin_data(PinnedDrop)]
struct Entry<T> {
    state: NonNull<Atomic<*mut bindings::device>>,
    #[pin]
    value: T,
}

// SAFETY: `state` is shared with all threads already, and `value` is `Send` by the type invariants.
unsafe impl<T> Send for Entry<T> {}

// SAFETY: `state` is atomic, and `value` is `Sync` by the type invariants.
unsafe impl<T> Sync for Entry<T> {}

#[pinned_drop]
impl<T> PinnedDrop for Entry<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants `state` is that of a container, which does not move. It is
        // not gone before this entry is: who owns it retires it, which drops the `Devres`, and that
        // waits for this.
        let state = unsafe { self.state.as_ref() };

        // Runs before `value` is dropped. A failed initialiser does not come here.
        // ORDERING: Who gets at `state` with a bound device is ordered with unbind by the device,
        // and who has a guard holds off the grace period before this.
        state.store(REVOKED, Relaxed);
    }
}

/// A guard that keeps the resource from being dropped.
pub(super) struct ContainerGuard<'a, T>(RevocableGuard<'a, Entry<T>>);

impl<T> Deref for ContainerGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0.value
    }
}

/// Nothing can be prepared: each slot has its own place among what devres releases.
///
/// # Errors
///
/// None.
#[allow(
    clippy::unnecessary_wraps,
    reason = "the interface of the other container"
)]
pub(super) fn prepare(_: &Device<Bound>) -> Result {
    Ok(())
}
