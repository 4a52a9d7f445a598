// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The pins of a slot whose resource can be evicted: how many threads use the resource, and which
//! thread is evicting it.
//!
//! One source for the host, the model checker and the kernel, under the same rule as the slot.
//!
//! A pin is taken first, and the state of the slot is looked at after that. A thread that evicts
//! changes the state first, and then looks for pins. So at least one of the two sees the other.

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

/// How many pins of a slot there are, and who is evicting its resource.
pub(super) struct Pins {
    /// Pins that were taken, also by threads that have yet to find out whether there is a resource.
    /// Negative if there are more than [`isize::MAX`]: no further ones are lent then.
    count: Atomic<isize>,
    /// [`sys::current_task()`] of the thread that is evicting the resource, and otherwise zero.
    evicting: Atomic<usize>,
}

impl Pins {
    /// Returns the pins of an empty slot: none.
    pub(super) fn new() -> Self {
        Self {
            count: Atomic::new(0),
            evicting: Atomic::new(0),
        }
    }

    /// Takes a pin. If the caller then finds the slot populated, nobody evicts the resource before
    /// the pin is dropped.
    ///
    /// # Errors
    ///
    /// `EOVERFLOW` if there are more than [`isize::MAX`] pins. Nearly all of them were leaked.
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

    /// Returns whether there is no other pin. The caller then comes after all that other threads
    /// did with pins that they had.
    pub(super) fn is_only(&self, _hold: &Hold<'_>) -> bool {
        // ORDERING: Pairs with the release in `Hold::drop()`.
        self.count.load(Acquire) == 1
    }

    /// Notes that the caller is evicting the resource.
    pub(super) fn begin_eviction(&self) {
        self.evicting.store(sys::current_task().get(), Relaxed);
    }

    /// Forgets it again. The caller is the thread that noted it.
    pub(super) fn end_eviction(&self) {
        self.evicting.store(0, Relaxed);
    }

    /// Returns whether the caller itself is evicting the resource.
    ///
    /// A thread sees its own stores, and no other thread stores its number.
    pub(super) fn is_evicting(&self) -> bool {
        self.evicting.load(Relaxed) == sys::current_task().get()
    }
}

/// A pin.
pub(super) struct Hold<'a>(&'a Pins);

impl Drop for Hold<'_> {
    #[inline]
    fn drop(&mut self) {
        // ORDERING: Pairs with the acquire in `Pins::is_only()`.
        self.0.count.fetch_sub(1, Release);
    }
}
