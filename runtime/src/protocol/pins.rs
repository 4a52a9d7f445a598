// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The pins of a slot whose resource can be evicted: the number of uses of the resource, and the
//! thread that is evicting the resource.
//!
//! The host, the model checker and the kernel compile this file, under the rule of `lazy`.
//!
//! A user takes a pin first, and then loads the state of the slot. A thread that evicts stores the
//! state first, and then loads the number of pins. So at least one of the two threads sees the
//! other.

use super::sys;
use crate::{
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Full,
        Relaxed,
        Release, //
    },
};

/// The number of pins of a slot, and the thread that is evicting its resource.
pub(super) struct Pins {
    /// The number of pins. It includes the pins of threads that have not loaded the state yet. It
    /// is negative if there are more than [`isize::MAX`] pins, and then no further pin is returned.
    pub(super) count: Atomic<isize>,
    /// [`sys::current_task()`] of the thread that is evicting the resource, or zero.
    evicting: Atomic<usize>,
}

impl Pins {
    /// Returns the pins of a new slot: none.
    pub(super) fn new() -> Self {
        Self {
            count: Atomic::new(0),
            evicting: Atomic::new(0),
        }
    }

    /// Takes a pin. If the caller then finds the slot populated, no thread evicts the resource
    /// before the pin is dropped.
    ///
    /// # Errors
    ///
    /// `EOVERFLOW` if there are more than [`isize::MAX`] pins, nearly all of them leaked.
    #[inline]
    pub(super) fn pin(&self) -> Result<Hold<'_>> {
        // ORDERING: Pairs with the barrier in `Registry::evict()`.
        let count = self.count.fetch_add(1, Full);
        sys::smp_mb_after_full();

        let hold = Hold(self);
        if count < 0 {
            return Err(EOVERFLOW);
        }
        Ok(hold)
    }

    /// Returns whether `_hold` is the only pin. The caller is then ordered after all uses of the
    /// resource by other threads with pins.
    pub(super) fn is_only(&self, _hold: &Hold<'_>) -> bool {
        // ORDERING: Pairs with the release in `Hold::drop()`.
        self.count.load(Acquire) == 1
    }

    /// Notes that the caller is evicting the resource.
    pub(super) fn begin_eviction(&self) {
        self.evicting.store(sys::current_task().get(), Relaxed);
    }

    /// Notes that the eviction has ended. The caller is the thread that was evicting the resource.
    pub(super) fn end_eviction(&self) {
        self.evicting.store(0, Relaxed);
    }

    /// Returns whether the caller itself is evicting the resource.
    ///
    /// The caller needs no lock. It sees its own stores, and no other thread stores its number.
    pub(super) fn is_evicting(&self) -> bool {
        self.evicting.load(Relaxed) == sys::current_task().get()
    }
}

/// A pin, which counts until it is dropped.
pub(super) struct Hold<'a>(&'a Pins);

impl Drop for Hold<'_> {
    #[inline]
    fn drop(&mut self) {
        // ORDERING: Pairs with the acquire in `Pins::is_only()`.
        self.0.count.fetch_sub(1, Release);
    }
}
