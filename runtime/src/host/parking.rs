// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A place where threads sleep until an atomic variable changes.
//!
//! Has no counterpart in the kernel. One place may serve any number of variables: a thread that is
//! woken in vain sleeps again.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// A place where threads sleep.
///
/// No wake-up is lost. A waiter adds itself to `waiters`, then reads the variable. A waker changes
/// the variable, then reads `waiters`. All four are sequentially consistent. If the waker sees the
/// waiter, it notifies it under the mutex, which the waiter holds from before its read until it
/// sleeps. Otherwise the waiter reads the variable after the change.
pub(crate) struct Parking {
    waiters: AtomicUsize,
    mutex: Mutex<()>,
    condvar: Condvar,
}

impl Parking {
    /// Makes a place without threads.
    pub(crate) const fn new() -> Self {
        Self {
            waiters: AtomicUsize::new(0),
            mutex: Mutex::new(()),
            condvar: Condvar::new(),
        }
    }

    /// Sleeps until `condition`, which reads the variable in a sequentially consistent way, is true.
    pub(crate) fn wait_until(&self, mut condition: impl FnMut() -> bool) {
        self.waiters.fetch_add(1, Ordering::SeqCst);

        let mut guard = self.mutex.lock().unwrap_or_else(PoisonError::into_inner);
        while !condition() {
            guard = self
                .condvar
                .wait(guard)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(guard);

        self.waiters.fetch_sub(1, Ordering::SeqCst);
    }

    /// Wakes all threads, after a change of the variable that was sequentially consistent.
    pub(crate) fn wake_all(&self) {
        if self.waiters.load(Ordering::SeqCst) != 0 {
            drop(self.mutex.lock().unwrap_or_else(PoisonError::into_inner));
            self.condvar.notify_all();
        }
    }
}
