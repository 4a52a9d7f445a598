// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What keeps the resource of a slot until its device is unbound: the resource itself, in place,
//! and the slot's part in the registry of the device.
//!
//! One source for the host, the model checker and the kernel, under the same rule as the slot.

use super::{
    pins::Pins,
    registry::{
        Claim,
        Header,
        Registry, //
    },
    state::Found,
    sys,
    unwind, //
};
use crate::{
    device::{
        Bound,
        Device, //
    },
    prelude::*,
    sync::{
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
/// - `registry` and `value` are written only by the thread that populates the slot or evicts the
///   resource, or by the exclusive owner.
/// - Unless the state is `EMPTY` or `RETIRED`, or the resource is being evicted, `registry` is the
///   one that the header was linked to, or that the slot is being populated for.
/// - While the state is a device, `value` is initialised.
#[repr(C)]
pub(super) struct Slot<T> {
    /// First, so that a pointer to it is one to the whole.
    header: Header,
    registry: UnsafeCell<Option<Arc<Registry>>>,
    value: UnsafeCell<MaybeUninit<T>>,
}

impl<T> Slot<T> {
    /// Returns an empty slot.
    pub(super) fn new() -> Self {
        // INVARIANT: The state is `EMPTY`.
        Self {
            header: Header::new(Self::drop_value),
            registry: UnsafeCell::new(None),
            value: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// Drops the resource in place.
    ///
    /// # Safety
    ///
    /// `header` is that of a `Slot<T>`, derived from a pointer to all of it, with a resource
    /// that nobody uses, and which nobody else drops.
    unsafe fn drop_value(header: NonNull<Header>) {
        let this = header.cast::<Self>().as_ptr();

        // CAST: `header` is the first field.
        // SAFETY: The slot is valid by the safety requirement.
        let value = unsafe { &raw const (*this).value };

        // SAFETY: By the safety requirement there is a resource, and it is the caller's.
        unsafe { ptr::drop_in_place(UnsafeCell::raw_get(value).cast::<T>()) };
    }

    /// The header, as a pointer to all of the slot.
    fn header(&self) -> NonNull<Header> {
        NonNull::from(self).cast()
    }

    /// Returns the resource if it is there, for `dev`, and was not revoked.
    #[inline]
    pub(super) fn get<'a>(&'a self, dev: &'a Device<Bound>) -> Option<&'a T> {
        if !self.header.state.is_populated_for(dev) {
            return None;
        }

        // SAFETY: The slot is populated for `dev`.
        Some(unsafe { self.value_for(dev) })
    }

    /// Returns the resource.
    ///
    /// # Safety
    ///
    /// The slot is populated for `dev`, and the caller is ordered with the thread that populated
    /// it.
    #[inline]
    unsafe fn value_for<'a>(&'a self, _dev: &'a Device<Bound>) -> &'a T {
        let value = self.value.get().cast::<T>();

        // SAFETY:
        // - `value` is initialised: the state is a device, by the type invariants.
        // - It is not dropped during `'a`: the state is the address of `dev`, which is bound for
        //   `'a`, and so not yet as far in unbind as to come to the slot; dropping or revoking the
        //   slot takes exclusive access to `self`; and who lets a slot be evicted has a pin for
        //   `'a`, as `evict()` requires.
        unsafe { &*value }
    }

    /// Returns the resource if the slot is populated for `dev`, and [`None`] if the caller may
    /// [`claim()`](Self::claim) the slot. Makes no registry for a slot that needs none.
    ///
    /// # Errors
    ///
    /// `ENXIO`, `EINVAL` and `EDEADLK`, as [`Lazy::entry()`](super::lazy::Lazy::entry).
    pub(super) fn look<'a>(&'a self, dev: &'a Device<Bound>) -> Result<Option<&'a T>> {
        match self.header.state.look(dev) {
            // SAFETY: The slot was found populated for `dev`.
            Found::Populated => Ok(Some(unsafe { self.value_for(dev) })),
            Found::PopulatedElsewhere => Err(EINVAL),
            Found::Refused => Err(ENXIO),
            Found::Empty => Ok(None),
            Found::Populating | Found::Evicting | Found::BusyElsewhere => {
                if self.header.is_populated_by_caller() {
                    return Err(EDEADLK);
                }
                Ok(None)
            }
        }
    }

    /// Claims the slot for the caller to populate, or finds it populated for `dev`.
    ///
    /// # Errors
    ///
    /// As [`Lazy::entry()`](super::lazy::Lazy::entry), whose work this is.
    ///
    /// # Safety
    ///
    /// `self` is pinned, and [`retire()`](Self::retire) is called before it is gone.
    pub(super) unsafe fn claim<'a>(&'a self, dev: &'a Device<Bound>) -> Result<Claimed<'a, T>> {
        // SAFETY: The slot is valid, and stays where it is, as `self` is pinned.
        match unsafe { Registry::claim(self.header(), dev) }? {
            Claim::Vacant(registry) => {
                // SAFETY: The caller populates the slot: nobody else accesses `registry`.
                unsafe { *self.registry.get() = Some(registry) };
                // INVARIANT: The slot was claimed for `dev`.
                Ok(Claimed::Vacant(Vacancy { slot: self, dev }))
            }
            // SAFETY: The slot was found populated for `dev` with the lock of the registry held.
            Claim::Populated => Ok(Claimed::Populated(unsafe { self.value_for(dev) })),
        }
    }

    /// Returns a guard to the resource if it is there and was not revoked.
    #[inline]
    pub(super) fn try_access(&self) -> Option<SlotGuard<'_, T>> {
        let guard = rcu::read_lock();

        if !self.header.state.is_populated() {
            return None;
        }
        // SAFETY: The state is a device, so by the type invariants `registry` was written, and is
        // not written again while `self` is shared.
        let registry = unsafe { &*self.registry.get() }.as_ref()?;
        registry.announce();

        // Whoever unbinds from here on waits for `guard`.
        // INVARIANT: The resource was there after the announcement.
        self.header.state.is_still_populated().then(|| SlotGuard {
            value: self.value.get().cast(),
            _guard: guard,
            _slot: PhantomData,
        })
    }

    /// Drops the resource now, unless somebody uses it. Returns whether there was one; the slot is
    /// empty then.
    ///
    /// # Errors
    ///
    /// `EBUSY` and `EOVERFLOW`, as [`EvictableLazy::evict()`], whose work this is.
    ///
    /// # Safety
    ///
    /// Everybody who uses what another function of this slot returns has a pin of `pins`, from
    /// before the call until the end of the use. Nobody calls [`try_access()`](Self::try_access).
    ///
    /// [`EvictableLazy::evict()`]: super::evictable::EvictableLazy::evict
    pub(super) unsafe fn evict(&self, pins: &Pins) -> Result<bool> {
        let hold = pins.pin()?;
        if !self.header.state.can_evict()? {
            return Ok(false);
        }
        // SAFETY: The state is a device, so by the type invariants `registry` was written. It is
        // not written again while `hold` is there: nobody else evicts the resource, and `self` is
        // shared.
        let Some(registry) = unsafe { &*self.registry.get() }.clone() else {
            return Ok(false);
        };

        let forget = || {
            // SAFETY: The resource was evicted by this call: nobody else accesses `registry`.
            unsafe { *self.registry.get() = None };
        };
        unwind::to_the_end(|| {
            // SAFETY:
            // - The header was linked to `registry`, by the type invariants. It is valid as `self`
            //   is, and stays where it is, as it was linked.
            // - Everybody has a pin: the caller guarantees it. So has this, from before the state
            //   was found to be a device.
            unsafe { registry.evict(self.header(), pins, hold, forget) }
        })
    }

    /// Drops the resource, if it is there, and leaves the slot empty, unless it was retired.
    ///
    /// # Safety
    ///
    /// Nobody else uses the slot, except unbind and code that dropping the resource calls.
    pub(super) unsafe fn revoke(&self) {
        if self.header.state.is_retired() {
            return;
        }

        unwind::to_the_end(|| {
            // SAFETY: Nobody else uses the slot: the caller guarantees it.
            unsafe { self.vacate() };
            // INVARIANT: The resource is gone, and the header is on no list.
            self.header.state.reset();
        });
    }

    /// Drops the resource, if it is there, and refuses every other one.
    ///
    /// # Safety
    ///
    /// As for [`revoke()`](Self::revoke).
    pub(super) unsafe fn retire(&self) {
        unwind::postponed(self.header().addr(), || {
            // SAFETY: Nobody else uses the slot: the caller guarantees it.
            unsafe { self.vacate() };
            // INVARIANT: The resource is gone, and the header is on no list.
            self.header.state.retire();
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

        unwind::resume(self.header().addr());
    }

    /// Drops the resource, if it is there.
    ///
    /// # Safety
    ///
    /// As for [`revoke()`](Self::revoke).
    unsafe fn vacate(&self) {
        if self.header.state.has_registry() {
            // SAFETY: Nobody writes `registry` meanwhile: unbind does not, and code that dropping
            // the resource calls does not find the slot empty.
            if let Some(registry) = unsafe { &*self.registry.get() } {
                // SAFETY:
                // - By the type invariants the header was linked to `registry`, and its slot was
                //   neither made empty nor retired since.
                // - Nobody else uses the slot: the caller guarantees it.
                unsafe { registry.remove(self.header()) };
            }
        }

        // SAFETY: The resource is gone, and unbind does not touch the slot after that: nobody else
        // accesses `registry`.
        unsafe { *self.registry.get() = None };
    }
}

/// The outcome of [`Slot::claim()`].
pub(super) enum Claimed<'a, T> {
    /// The slot was empty, and the caller populates it.
    Vacant(Vacancy<'a, T>),
    /// The slot is populated for the caller's device.
    Populated(&'a T),
}

/// A slot that the caller has claimed. It is empty again if this is dropped without
/// [`populate()`](Self::populate).
///
/// # Invariants
///
/// `slot` was claimed for `dev`, by [`Slot::claim()`].
pub(super) struct Vacancy<'a, T> {
    slot: &'a Slot<T>,
    dev: &'a Device<Bound>,
}

impl<'a, T> Vacancy<'a, T> {
    /// Returns the device that the slot is being populated for.
    pub(super) fn dev(&self) -> &'a Device<Bound> {
        self.dev
    }

    /// Makes the resource in place.
    ///
    /// # Errors
    ///
    /// As [`Vacant::populate()`](super::lazy::Vacant::populate), whose work this is.
    pub(super) fn populate<I, E>(self, init: impl FnOnce() -> Result<I>) -> Result<&'a T>
    where
        T: Send + Sync,
        I: PinInit<T, E>,
        Error: From<E>,
    {
        let Self { slot, dev } = self;
        let value = slot.value.get().cast::<T>();

        // SAFETY:
        // - The caller populates the slot: nobody else accesses `value`, and there is nothing in
        //   it.
        // - It does not move, as the slot is pinned, and is not used if this fails.
        unsafe { sys::init_in_place(value, init()?) }?;

        let linked = unwind::to_the_end(|| {
            // SAFETY: The caller populates the slot: nobody writes `registry`.
            let registry = unsafe { &*slot.registry.get() }.as_ref();

            // SAFETY:
            // - `registry` is that of `dev`, and the slot was claimed for it: by the type
            //   invariants.
            // - The resource was made above, and is `Send`.
            // - The slot stays where it is, and is retired before it is gone, which removes it.
            // INVARIANT: When the state becomes a device, both others were written.
            registry.map_or(Err(ENXIO), |registry| unsafe {
                registry.link(slot.header(), dev)
            })
        });
        if let Err(error) = linked {
            // SAFETY: `header()` is derived from all of the slot. The resource was made above,
            // nobody else has seen it, and it is on no list, so nobody else drops it.
            unsafe { Slot::<T>::drop_value(slot.header()) };
            return Err(error);
        }

        // SAFETY: The caller has just populated the slot for `dev`.
        Ok(unsafe { slot.value_for(dev) })
    }
}

impl<T> Drop for Vacancy<'_, T> {
    fn drop(&mut self) {
        let slot = self.slot;
        // While `self` borrows the slot, nobody leaves the states behind this one for it again:
        // where the resource can be evicted, the caller has a pin from before the slot was claimed.
        if !slot.header.state.is_being_populated() {
            return;
        }

        // SAFETY: The caller populates the slot: nobody else accesses `registry`.
        let registry = unsafe { (*slot.registry.get()).take() };
        if let Some(registry) = registry {
            unwind::to_the_end(|| {
                // SAFETY: By the type invariants the slot was claimed for `registry`, and it was
                // neither abandoned nor linked, as its state is still the same.
                unsafe { registry.abandon(slot.header()) };
            });
        }
    }
}

/// A guard that keeps the resource from being dropped.
///
/// # Invariants
///
/// `value` points to a resource that is not dropped before the RCU read-side critical section has
/// ended.
pub(super) struct SlotGuard<'a, T> {
    /// A pointer, as a reference would have to be good until a function returns that takes the
    /// guard by value and drops it.
    value: *const T,
    _guard: rcu::Guard,
    _slot: PhantomData<&'a T>,
}

impl<T> Deref for SlotGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariants.
        unsafe { &*self.value }
    }
}
