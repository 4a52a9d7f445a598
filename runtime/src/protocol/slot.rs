// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The storage of a slot: its state, its resource in place, and a reference to the registry of the
//! device.
//!
//! The host, the model checker and the kernel compile this file, under the rule of `lazy`.

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

/// Stores a resource, in place, until its device is unbound.
///
/// A `Slot` has no destructor. The destructor of the type that contains it calls
/// [`end()`](Self::end).
///
/// # Invariants
///
/// - `registry` and `value` are written only by the thread that populates the slot or evicts the
///   resource, or by the exclusive owner.
/// - In the states `EMPTY` and `RETIRED`, and while the resource is being evicted, `registry` may
///   have any value. In all other states it is the registry that the header was linked to, or that
///   the slot is being populated for.
/// - While the state is a device, `value` is initialised.
#[repr(C)]
pub(super) struct Slot<T> {
    /// The first field, so that a pointer to the header is also a pointer to the slot.
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
    /// - `header` is that of a `Slot<T>`, derived from a pointer to all of the slot.
    /// - The slot has a resource, which no other code uses or drops.
    unsafe fn drop_value(header: NonNull<Header>) {
        let this = header.cast::<Self>().as_ptr();

        // CAST: `header` is the first field.
        // SAFETY: The caller promises that `header` is that of a `Slot<T>`, derived from a pointer
        // to all of the slot. So `this` is valid.
        let value = unsafe { &raw const (*this).value };

        // SAFETY: The caller promises that the slot has a resource, which no other code uses or
        // drops.
        unsafe { ptr::drop_in_place(UnsafeCell::raw_get(value).cast::<T>()) };
    }

    /// Returns a pointer to the header, derived from a pointer to all of the slot.
    fn header(&self) -> NonNull<Header> {
        NonNull::from(self).cast()
    }

    /// Returns the resource if the slot is populated for `dev` and was not revoked.
    #[inline]
    pub(super) fn get<'a>(&'a self, dev: &'a Device<Bound>) -> Option<&'a T> {
        if !self.header.state.is_populated_for(dev) {
            return None;
        }

        // SAFETY: `is_populated_for()` has found the slot populated for `dev`, by an acquire load.
        Some(unsafe { self.value_for(dev) })
    }

    /// Returns the resource.
    ///
    /// # Safety
    ///
    /// The slot is populated for `dev`, and the caller is ordered after the thread that populated
    /// it.
    #[inline]
    unsafe fn value_for<'a>(&'a self, _dev: &'a Device<Bound>) -> &'a T {
        let value = self.value.get().cast::<T>();

        // SAFETY:
        // - `value` is initialised by the type invariants: the state is a device.
        // - Unbind does not drop `value` during `'a`: the state is the address of `dev`, which is
        //   bound for `'a`, so unbind does not come to the slot before `'a` ends.
        // - The owner does not drop `value` during `'a`: dropping or revoking the slot takes
        //   exclusive access to `self`.
        // - No thread evicts `value` during `'a`: the user of a slot that can be evicted has a pin
        //   for `'a`, as `evict()` requires.
        unsafe { &*value }
    }

    /// Returns the resource if the slot is populated for `dev`, and [`None`] if the caller may
    /// [`claim()`](Self::claim) the slot. Unlike `claim()`, this makes no registry.
    ///
    /// # Errors
    ///
    /// `ENXIO`, `EINVAL` and `EDEADLK`, as [`Lazy::entry()`](super::lazy::Lazy::entry).
    pub(super) fn look<'a>(&'a self, dev: &'a Device<Bound>) -> Result<Option<&'a T>> {
        match self.header.state.look(dev) {
            // SAFETY: `State::look()` has found the slot populated for `dev`, by an acquire load.
            Found::Populated => Ok(Some(unsafe { self.value_for(dev) })),
            Found::PopulatedElsewhere => Err(EINVAL),
            Found::Refused => Err(ENXIO),
            Found::Empty => Ok(None),
            Found::Busy | Found::BusyElsewhere => {
                if self.header.is_populated_by_caller() {
                    return Err(EDEADLK);
                }
                Ok(None)
            }
        }
    }

    /// Claims the slot for the caller to populate, or returns the resource if the slot is populated
    /// for `dev`.
    ///
    /// # Errors
    ///
    /// Those of [`Lazy::entry()`](super::lazy::Lazy::entry) but `EDEADLK`.
    ///
    /// # Context
    ///
    /// May sleep, as [`Lazy::entry()`](super::lazy::Lazy::entry). A caller that may be populating
    /// the slot itself calls [`look()`](Self::look) first.
    ///
    /// # Safety
    ///
    /// `self` is pinned, and [`retire()`](Self::retire) is called before its memory is freed.
    pub(super) unsafe fn claim<'a>(&'a self, dev: &'a Device<Bound>) -> Result<Claimed<'a, T>> {
        // SAFETY: The slot is valid, and does not move, as `self` is pinned.
        match unsafe { Registry::claim(self.header(), dev) }? {
            Claim::Vacant(registry) => {
                // SAFETY: The caller has claimed the slot, so no other code accesses `registry`.
                unsafe { *self.registry.get() = Some(registry) };
                // INVARIANT: The slot was claimed for `dev`.
                Ok(Claimed::Vacant(Vacancy { slot: self, dev }))
            }
            // SAFETY: `Registry::claim()` has found the slot populated for `dev`, by an acquire
            // load.
            Claim::Populated => Ok(Claimed::Populated(unsafe { self.value_for(dev) })),
        }
    }

    /// Returns a guard to the resource if the slot is populated and was not revoked.
    #[inline]
    pub(super) fn try_access(&self) -> Option<SlotGuard<'_, T>> {
        let guard = rcu::read_lock();

        if !self.header.state.is_populated() {
            return None;
        }
        // SAFETY: The state was a device, so by the type invariants `registry` was written. It is
        // not written again while `self` is shared: `evict()` requires that this function is never
        // called for the same slot.
        let registry = unsafe { &*self.registry.get() }.as_ref()?;
        registry.announce();

        // From here on unbind waits for `guard`.
        // INVARIANT: If the slot is still populated after the announcement, unbind drops the
        // resource only after the critical section of `guard`.
        self.header.state.is_still_populated().then(|| SlotGuard {
            value: self.value.get().cast(),
            _guard: guard,
            _slot: PhantomData,
        })
    }

    /// Drops the resource now, unless it is in use. Returns `true` if there was a resource; the
    /// slot is empty then.
    ///
    /// # Errors
    ///
    /// `EBUSY` and `EOVERFLOW`, as [`EvictableLazy::evict()`].
    ///
    /// # Context
    ///
    /// As [`EvictableLazy::evict()`].
    ///
    /// # Safety
    ///
    /// - Code that uses a resource which another function of this slot returns has a pin of `pins`,
    ///   from before the call until the end of the use.
    /// - [`try_access()`](Self::try_access) is never called.
    ///
    /// [`EvictableLazy::evict()`]: super::evictable::EvictableLazy::evict
    pub(super) unsafe fn evict(&self, pins: &Pins) -> Result<bool> {
        let hold = pins.pin()?;
        if !self.header.state.can_evict()? {
            return Ok(false);
        }
        // SAFETY: The state was a device, so by the type invariants `registry` was written. It is
        // not written again while `hold` exists: no other thread evicts the resource, and `self` is
        // shared.
        let Some(registry) = unsafe { &*self.registry.get() }.clone() else {
            return Ok(false);
        };

        let forget = || {
            // SAFETY: This call has evicted the resource, and the state still says so. No other
            // code accesses `registry`.
            unsafe { *self.registry.get() = None };
        };
        unwind::to_the_end(|| {
            // SAFETY:
            // - By the type invariants the header was linked to `registry`. It is valid as `self`
            //   is, and `self` is shared during the call.
            // - The caller promises that each user of the resource has a pin. `hold` is the pin of
            //   this call, taken before the state was found to be a device.
            unsafe { registry.evict(self.header(), pins, hold, forget) }
        })
    }

    /// Drops the resource, if there is one, and leaves the slot empty. A retired slot stays
    /// retired.
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Safety
    ///
    /// No other code uses the slot, except unbind and code that dropping the resource calls.
    pub(super) unsafe fn revoke(&self) {
        if self.header.state.is_retired() {
            return;
        }

        unwind::to_the_end(|| {
            // SAFETY: The caller promises that no other code uses the slot, except unbind and code
            // that dropping the resource calls.
            unsafe { self.vacate() };
            // INVARIANT: The resource is gone, and the header is on no list.
            self.header.reset();
        });
    }

    /// Drops the resource, if there is one, and makes the slot refuse every further use.
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Safety
    ///
    /// As for [`revoke()`](Self::revoke).
    pub(super) unsafe fn retire(&self) {
        unwind::postponed(self.header().addr(), || {
            // SAFETY: The caller promises that no other code uses the slot, except unbind and code
            // that dropping the resource calls.
            unsafe { self.vacate() };
            // INVARIANT: The resource is gone, and the header is on no list.
            self.header.state.retire();
        });
    }

    /// As [`retire()`](Self::retire), for the destructor of the type that contains the slot. On the
    /// host, a panic that `retire()` has postponed goes on.
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Safety
    ///
    /// As for [`revoke()`](Self::revoke).
    pub(super) unsafe fn end(&self) {
        // SAFETY: The caller promises that no other code uses the slot, except unbind and code that
        // dropping the resource calls.
        unsafe { self.retire() };

        unwind::resume(self.header().addr());
    }

    /// Drops the resource, if there is one, and the reference to the registry.
    ///
    /// # Safety
    ///
    /// As for [`revoke()`](Self::revoke).
    unsafe fn vacate(&self) {
        if self.header.state.has_registry() {
            // SAFETY: No code writes `registry` meanwhile. Unbind does not write it, and code that
            // dropping the resource calls cannot claim the slot, whose state is not `EMPTY`.
            if let Some(registry) = unsafe { &*self.registry.get() } {
                // SAFETY:
                // - By the type invariants the header was linked to `registry`. The state says that
                //   its slot was neither made empty nor retired since.
                // - The caller promises that no other code uses the slot, except unbind and code
                //   that dropping the resource calls.
                unsafe { registry.remove(self.header()) };
            }
        }

        // SAFETY: The resource is gone, and unbind does not touch the slot after that. No other
        // code accesses `registry`.
        unsafe { *self.registry.get() = None };
    }
}

/// The outcome of [`Slot::claim()`].
pub(super) enum Claimed<'a, T> {
    /// The slot was empty, and the caller populates it.
    Vacant(Vacancy<'a, T>),
    /// The slot is populated for the caller's device, with this resource.
    Populated(&'a T),
}

/// A slot that the caller has claimed. If a `Vacancy` is dropped without
/// [`populate()`](Self::populate), its slot is empty again.
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
    /// Those of [`Vacant::populate()`](super::lazy::Vacant::populate).
    pub(super) fn populate<I, E>(self, init: impl FnOnce() -> Result<I>) -> Result<&'a T>
    where
        T: Send + Sync,
        I: PinInit<T, E>,
        Error: From<E>,
    {
        let Self { slot, dev } = self;
        let value = slot.value.get().cast::<T>();

        // SAFETY:
        // - The caller has claimed the slot, so no other code accesses `value`, which holds no
        //   resource.
        // - `value` does not move, as the slot is pinned, and is not used after an error.
        unsafe { sys::init_in_place(value, init()?) }?;

        let linked = unwind::to_the_end(|| {
            // SAFETY: The caller has claimed the slot, so no other code writes `registry`.
            let registry = unsafe { &*slot.registry.get() }.as_ref();

            // SAFETY:
            // - By the type invariants the slot was claimed for `dev`, and so for `registry`, which
            //   is that of `dev`.
            // - The resource was made above, and is `Send`.
            // - The slot is pinned. It is retired before its memory is freed, which removes it.
            // INVARIANT: When the state becomes a device, `value` and `registry` were written.
            registry.map_or(Err(ENXIO), |registry| unsafe {
                registry.link(slot.header(), dev)
            })
        });
        if let Err(error) = linked {
            // SAFETY: `header()` is derived from a pointer to all of the slot. The resource was
            // made above. No other code uses or drops it, as the header was not linked.
            unsafe { Slot::<T>::drop_value(slot.header()) };
            return Err(error);
        }

        // SAFETY: This call has populated the slot for `dev`.
        Ok(unsafe { slot.value_for(dev) })
    }
}

impl<T> Drop for Vacancy<'_, T> {
    fn drop(&mut self) {
        let slot = self.slot;
        // A slot that is not being populated was linked by `populate()`. While `self` exists, no
        // other thread can claim it. `self` borrows the slot, so the owner cannot make it empty.
        // A slot that can be evicted has a pin, which the caller took before the claim.
        if !slot.header.state.is_being_populated() {
            return;
        }

        // SAFETY: The caller has claimed the slot, so no other code accesses `registry`.
        let registry = unsafe { (*slot.registry.get()).take() };
        if let Some(registry) = registry {
            unwind::to_the_end(|| {
                // SAFETY: By the type invariants the slot was claimed for `registry`. It was
                // neither abandoned nor linked since, as its state is still the same.
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
    /// A pointer. A reference would have to stay valid until a function returns that takes the
    /// guard by value, also if this function drops the guard earlier.
    value: *const T,
    _guard: rcu::Guard,
    _slot: PhantomData<&'a T>,
}

impl<T> Deref for SlotGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariants `value` points to a resource that is not dropped while
        // `self` exists.
        unsafe { &*self.value }
    }
}
