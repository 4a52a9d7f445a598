// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A slot as lockdep sees it: a thread that populates the slot counts as the holder of a lock.
//!
//! The kernel's file of this name does the same with `lock_acquire()` and `lock_release()`. There
//! is no lock: the slot's state decides which thread waits for which.

use crate::{lockdep, prelude::*, str::CStr, sync::LockClassKey, types::NotThreadSafe};

/// The slot as lockdep knows it: `struct lockdep_map`.
pub(crate) struct DepMap(lockdep::DepMap);

impl DepMap {
    /// Returns the map of a slot of the class `key`.
    #[track_caller]
    pub(crate) fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        Self(lockdep::DepMap::new(key.register(name)))
    }

    /// Has the current thread hold the slot, until the result is dropped.
    ///
    /// Call it before the thread waits for another one that populates the slot.
    ///
    /// # Panics
    ///
    /// If another order of locks was seen before, as lockdep does.
    #[inline]
    #[track_caller]
    pub(crate) fn acquire(&self) -> Held<'_> {
        self.0.map(false).acquire();

        Held {
            map: &self.0,
            _thread: NotThreadSafe,
        }
    }
}

/// The current thread holds a slot.
pub(crate) struct Held<'a> {
    map: &'a lockdep::DepMap,
    _thread: NotThreadSafe,
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        self.map.map(false).release();
    }
}
