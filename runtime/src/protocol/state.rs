// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The state of a slot: one word, its values, and all transitions between them.
//!
//! The host, the model checker and the kernel compile this file, under the rule of `lazy`.
//!
//! The registry of a slot is the one that the slot is linked to, or is being populated for.
//! "Locked" means with the lock of that registry held.
//!
//! | state | meaning | left by |
//! |---|---|---|
//! | `EMPTY` | nothing is mapped | a thread that populates |
//! | a registry's address with `POPULATING` | a thread populates the slot | that thread, locked |
//! | a `struct device *` | populated for it, not revoked | unbind or evict, locked, or the owner |
//! | a registry's address with `EVICTING` | a thread evicts the resource | that thread, locked |
//! | `REVOKED` | unbind has begun; the resource is there | unbind, locked, or the owner |
//! | `DROPPING` | the resource is being dropped | the thread that drops it, locked |
//! | `GONE` | the resource was dropped | the owner, by revoking or retiring |
//! | `RETIRED` | the owner is being dropped | never left |
//!
//! The owner changes the state only with exclusive access. The slot joins the list of its registry
//! when the state becomes a device. It leaves the list when the state becomes `GONE`, or `EMPTY`
//! after an eviction.
//!
//! The device pointer is itself the state. One acquire load and one comparison tell whether the
//! slot is populated, for the caller's device, in this binding of the device.

use super::{
    registry::Registry,
    sys, //
};
use crate::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    },
};
use core::ptr;

/// The values of a state.
pub(super) type Word = *mut bindings::device;

/// Nothing is mapped.
const EMPTY: Word = ptr::null_mut();

/// Unbind has begun. The resource is not dropped yet.
const REVOKED: Word = ptr::without_provenance_mut(1);

/// Unbind or the exclusive owner is dropping the resource.
const DROPPING: Word = ptr::without_provenance_mut(2);

/// The resource was dropped.
const GONE: Word = ptr::without_provenance_mut(3);

/// The owner's destructor has begun, and the resource is gone.
const RETIRED: Word = ptr::without_provenance_mut(4);

/// Set in the address of the slot's registry while a thread populates the slot.
const POPULATING: usize = 1;

/// Set in the address of the slot's registry while a thread evicts the resource.
const EVICTING: usize = 2;

/// Returns the tag of a word. These bits are zero in all addresses of a `struct device` or a
/// registry, as both contain pointers and are aligned for them.
#[inline]
fn tag(word: Word) -> usize {
    word.addr() & (POPULATING | EVICTING)
}

/// Returns whether a word is the address of a device.
#[inline]
fn is_device(word: Word) -> bool {
    word.addr() > RETIRED.addr() && tag(word) == 0
}

/// Returns the address of `registry` with a tag: the word of a slot that a thread is populating for
/// `registry`, or whose resource it is evicting from there.
fn tagged(registry: &Registry, tag: usize) -> Word {
    ptr::without_provenance_mut(ptr::from_ref(registry).addr() | tag)
}

/// The state of a slot for a caller that wants to populate it for a device.
pub(super) enum Found {
    /// Nothing is mapped, and no thread is mapping.
    Empty,
    /// A thread is populating the slot for the caller's registry, or evicting the resource from it.
    Busy,
    /// A thread is populating the slot for another registry, or evicting the resource from another
    /// registry.
    BusyElsewhere,
    /// The slot is populated for the caller's device.
    Populated,
    /// The slot is populated for another device.
    PopulatedElsewhere,
    /// The slot was revoked or retired, or its resource is being dropped.
    Refused,
}

/// The state of a slot.
pub(super) struct State(Atomic<Word>);

impl State {
    /// Returns the state of an empty slot.
    pub(super) fn new() -> Self {
        Self(Atomic::new(EMPTY))
    }

    /// Returns whether the slot is populated for `dev`, and was not revoked.
    ///
    /// The caller that gets `true` also sees the resource.
    #[inline]
    pub(super) fn is_populated_for(&self, dev: &Device<Bound>) -> bool {
        // ORDERING: Pairs with the release in `publish()`.
        sys::is_acquired(&self.0, dev.as_raw())
    }

    /// Returns whether the slot is populated, and was not revoked.
    ///
    /// The caller that gets `true` also sees the resource and the registry.
    #[inline]
    pub(super) fn is_populated(&self) -> bool {
        // ORDERING: Pairs with the release in `publish()`.
        is_device(self.0.load(Acquire))
    }

    /// As [`is_populated()`](Self::is_populated), for a caller to which that function has returned
    /// `true`.
    #[inline]
    pub(super) fn is_still_populated(&self) -> bool {
        is_device(self.0.load(Relaxed))
    }

    /// Returns whether a thread is populating the slot. For that thread the answer is exact: it
    /// sees its own stores.
    pub(super) fn is_being_populated(&self) -> bool {
        let word = self.0.load(Relaxed);

        word.addr() > RETIRED.addr() && tag(word) == POPULATING
    }

    /// Returns whether a thread is populating the slot for `registry`, or evicting the resource
    /// from `registry`.
    pub(super) fn is_busy_for(&self, registry: &Registry) -> bool {
        let word = self.0.load(Relaxed);

        [POPULATING, EVICTING]
            .iter()
            .any(|tag| word == tagged(registry, *tag))
    }

    /// Returns whether the slot is linked to a registry, or was until its resource was dropped.
    pub(super) fn has_registry(&self) -> bool {
        let word = self.0.load(Relaxed);

        is_device(word) || [REVOKED, DROPPING, GONE].contains(&word)
    }

    /// Returns whether the owner's destructor has retired the slot.
    pub(super) fn is_retired(&self) -> bool {
        self.0.load(Relaxed) == RETIRED
    }

    /// Returns whether the resource is being dropped.
    pub(super) fn is_dropping(&self) -> bool {
        self.0.load(Relaxed) == DROPPING
    }

    /// Claims an empty slot: the caller that gets [`Found::Empty`] populates it, for `registry`.
    pub(super) fn begin(&self, registry: &Registry, dev: &Device<Bound>) -> Found {
        let ours = tagged(registry, POPULATING);

        loop {
            // ORDERING: Pairs with the release in `abandon()`. The caller sees everything that an
            // earlier populate or eviction has done to the slot.
            if self.0.cmpxchg(EMPTY, ours, Acquire).is_ok() {
                return Found::Empty;
            }
            match self.found(dev, registry) {
                // A populate has failed in between, or an eviction has ended.
                Found::Empty => (),
                found => return found,
            }
        }
    }

    /// Returns the state for a caller that wants to populate the slot for `dev`, and has no
    /// registry yet. While a thread is populating the slot or evicting the resource, this returns
    /// [`Found::BusyElsewhere`].
    pub(super) fn look(&self, dev: &Device<Bound>) -> Found {
        self.found(dev, ptr::null())
    }

    /// Returns the state for a caller that wants to populate the slot for `dev`. `registry` is the
    /// registry of the caller, or null.
    fn found(&self, dev: &Device<Bound>, registry: *const Registry) -> Found {
        // ORDERING: Pairs with the release in `publish()`, for a caller that finds the slot
        // populated.
        let word = self.0.load(Acquire);

        match word {
            EMPTY => Found::Empty,
            REVOKED | DROPPING | GONE | RETIRED => Found::Refused,
            _ if word == dev.as_raw() => Found::Populated,
            _ if is_device(word) => Found::PopulatedElsewhere,
            _ if word.addr() - tag(word) != registry.addr() => Found::BusyElsewhere,
            _ => Found::Busy,
        }
    }

    /// Makes the slot empty again, after a populate that has failed or after an eviction.
    ///
    /// The caller is the thread that began the populate or the eviction. It holds the lock of the
    /// registry.
    pub(super) fn abandon(&self) {
        // ORDERING: Pairs with the acquire in `begin()`.
        self.0.store(EMPTY, Release);
    }

    /// Ends a populate: the slot is populated for `dev`.
    ///
    /// The caller is the thread that began the populate. It has made the resource, and holds the
    /// lock of the registry.
    pub(super) fn publish(&self, dev: &Device<Bound>) {
        // ORDERING: Pairs with the acquires of readers: a reader that sees the device also sees the
        // resource and the registry.
        self.0.store(dev.as_raw(), Release);
    }

    /// Marks a populated slot: accessors refuse it from now on. The caller is unbind, and holds the
    /// lock of the registry.
    pub(super) fn mark(&self) {
        let seen = self.0.load(Relaxed);

        if is_device(seen) {
            // An owner that has claimed its resource in between keeps it: the exchange fails.
            let _ = self.0.cmpxchg(seen, REVOKED, Relaxed);
        }
    }

    /// Returns whether there is a resource that can be evicted.
    ///
    /// The caller that gets `true` also sees the registry.
    ///
    /// # Errors
    ///
    /// `EBUSY` if a thread populates the slot, or evicts or drops the resource, or if unbind has
    /// begun.
    pub(super) fn can_evict(&self) -> Result<bool> {
        // ORDERING: Pairs with the release in `publish()`.
        let word = self.0.load(Acquire);

        match word {
            EMPTY | GONE | RETIRED => Ok(false),
            _ if is_device(word) => Ok(true),
            _ => Err(EBUSY),
        }
    }

    /// Begins to evict the resource: a thread that asks for the resource from now on waits. Returns
    /// the previous state, for [`cancel_eviction()`](Self::cancel_eviction), or [`None`] if there
    /// is no resource.
    ///
    /// The caller holds the lock of `registry`, and has a pin. The owner is shared.
    ///
    /// # Errors
    ///
    /// As [`can_evict()`](Self::can_evict).
    pub(super) fn begin_eviction(&self, registry: &Registry) -> Result<Option<Word>> {
        if !self.can_evict()? {
            return Ok(None);
        }

        // The owner is shared, so only the holder of the lock changes this state.
        let dev = self.0.load(Relaxed);
        self.0.store(tagged(registry, EVICTING), Relaxed);
        Ok(Some(dev))
    }

    /// Ends an eviction that has not dropped the resource. The caller is the thread that began the
    /// eviction, and has held the lock of the registry since.
    pub(super) fn cancel_eviction(&self, dev: Word) {
        // ORDERING: As in `publish()`, for readers that see this store and not the one in
        // `publish()`. The barrier in `Registry::evict()` would also suffice.
        self.0.store(dev, Release);
    }

    /// Ends an eviction: the slot is empty.
    ///
    /// The caller is the thread that began the eviction. It has dropped the resource and unlinked
    /// the slot, and holds the lock of the registry.
    pub(super) fn evicted(&self) {
        self.abandon();
    }

    /// Claims the resource. The caller that gets `true` drops the resource; every other caller gets
    /// `false`.
    pub(super) fn claim(&self) -> bool {
        loop {
            let seen = self.0.load(Relaxed);
            if !is_device(seen) && seen != REVOKED {
                return false;
            }
            // ORDERING: Both callers are ordered after the thread that has populated the slot:
            // unbind by the registry's lock, the owner by its exclusive access.
            if self.0.cmpxchg(seen, DROPPING, Relaxed).is_ok() {
                return true;
            }
        }
    }

    /// Stores that the resource is gone. The caller has dropped it, and holds the lock of the
    /// registry.
    ///
    /// An owner that waits for this may free the slot as soon as the lock is released.
    pub(super) fn gone(&self) {
        self.0.store(GONE, Relaxed);
    }

    /// Makes the slot empty. The caller has exclusive access, and the resource is gone.
    pub(super) fn reset(&self) {
        self.0.store(EMPTY, Relaxed);
    }

    /// Makes the slot refuse every use. The caller has exclusive access, and the resource is gone.
    pub(super) fn retire(&self) {
        self.0.store(RETIRED, Relaxed);
    }
}
