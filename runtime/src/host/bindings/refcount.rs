// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Saturating reference counts, as in `include/linux/refcount.h` and `lib/refcount.c`. Uses
//! [`warn`].
//!
//! The C functions exist here as methods: nothing outside of the model calls them. Unlike
//! `WARN_ONCE()`, each misuse is reported, and the report says whose count it is.

use super::warn;
use core::{
    ffi::c_int,
    fmt,
    mem::ManuallyDrop,
    sync::atomic::{AtomicI32, Ordering},
};

/// Where a misused count is parked, so far from both ends that it never gets back:
/// `REFCOUNT_SATURATED`.
pub const REFCOUNT_SATURATED: i32 = i32::MIN / 2;

/// `atomic_t` of `include/linux/types.h`.
///
/// A union, so that the counter has the type and the name that it has in C, and shared references
/// to it allow changes nevertheless.
#[repr(C)]
pub union atomic_t {
    /// The value. Other threads may change it, so it is only to be accessed atomically.
    pub counter: c_int,
    atomic: ManuallyDrop<AtomicI32>,
}

impl atomic_t {
    /// `ATOMIC_INIT()`.
    const fn new(n: c_int) -> Self {
        Self { counter: n }
    }

    /// The counter, for atomic access.
    #[inline]
    fn atomic(&self) -> &AtomicI32 {
        // SAFETY: Both fields have the size and the valid values of `c_int`.
        unsafe { &self.atomic }
    }
}

/// `refcount_t`: a reference count that is never negative unless it was misused. All zeroes is a
/// count of 0.
#[repr(transparent)]
pub struct refcount_t {
    /// The count, with its name of C.
    pub refs: atomic_t,
}

impl Default for refcount_t {
    fn default() -> Self {
        Self::new(0)
    }
}

impl fmt::Debug for refcount_t {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("refcount_t").field(&self.read()).finish()
    }
}

impl refcount_t {
    /// A count of `n`: `REFCOUNT_INIT()`.
    pub const fn new(n: i32) -> Self {
        Self {
            refs: atomic_t::new(n),
        }
    }

    /// The count, as of some moment during the call: `refcount_read()`.
    #[inline]
    pub fn read(&self) -> i32 {
        self.refs.atomic().load(Ordering::Relaxed)
    }

    /// `refcount_set()`.
    pub(crate) fn set(&self, n: i32) {
        self.refs.atomic().store(n, Ordering::Relaxed);
    }

    /// `refcount_inc()`, for a caller that has a reference already. `whose` names the counted
    /// object in reports.
    #[track_caller]
    pub(crate) fn inc(&self, whose: impl fmt::Display) {
        let old = self.refs.atomic().fetch_add(1, Ordering::Relaxed);

        if old == 0 {
            self.saturate("addition on 0; use-after-free", whose);
        } else if old < 0 || old == i32::MAX {
            self.saturate("saturated; leaking memory", whose);
        }
    }

    /// `refcount_inc_not_zero()`: whether there was something to take a reference to.
    #[track_caller]
    pub(crate) fn inc_not_zero(&self, whose: impl fmt::Display) -> bool {
        let old = self
            .refs
            .atomic()
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |old| {
                (old != 0).then(|| old.wrapping_add(1))
            });

        match old {
            Err(_) => false,
            Ok(old) => {
                if old < 0 || old == i32::MAX {
                    self.saturate("saturated; leaking memory", whose);
                }
                true
            }
        }
    }

    /// `refcount_dec_and_test()`: whether the last reference went away. An underflow does not count
    /// as that.
    #[track_caller]
    pub(crate) fn dec_and_test(&self, whose: impl fmt::Display) -> bool {
        let old = self.refs.atomic().fetch_sub(1, Ordering::Release);

        if old == 1 {
            // Whatever the other holders did happened before what the last one does next. Not a
            // fence, which ThreadSanitizer does not know.
            self.refs.atomic().load(Ordering::Acquire);
            return true;
        }
        if old <= 0 {
            self.saturate("underflow; use-after-free", whose);
        }
        false
    }

    /// `refcount_warn_saturate()`.
    #[track_caller]
    fn saturate(&self, what: &str, whose: impl fmt::Display) {
        self.set(REFCOUNT_SATURATED);
        warn(format!("refcount_t: {what}: {whose}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::collect_warnings;

    #[test]
    fn balanced_use_is_silent() {
        let count = refcount_t::default();
        assert!(!count.inc_not_zero("x"));

        count.set(1);
        count.inc("x");
        assert!(count.inc_not_zero("x"));
        assert_eq!(count.read(), 3);
        assert!(!count.dec_and_test("x"));
        assert!(!count.dec_and_test("x"));
        assert!(count.dec_and_test("x"));
        assert_eq!(count.read(), 0);
    }

    #[test]
    #[should_panic(expected = "refcount_t: underflow; use-after-free: x of gpu0")]
    fn underflow_is_loud() {
        refcount_t::new(0).dec_and_test("x of gpu0");
    }

    #[test]
    fn misuse_saturates() {
        for (start, text) in [
            (0, "refcount_t: addition on 0; use-after-free: x"),
            (i32::MAX, "refcount_t: saturated; leaking memory: x"),
        ] {
            let count = refcount_t::new(start);
            let ((), warnings) = collect_warnings(|| count.inc("x"));

            assert_eq!(warnings, [text]);
            assert_eq!(count.read(), REFCOUNT_SATURATED);
            // It stays there, one report each time.
            let (last, warnings) = collect_warnings(|| count.dec_and_test("x"));
            assert!(!last);
            assert_eq!(warnings.len(), 1);
            let (alive, warnings) = collect_warnings(|| count.inc_not_zero("x"));
            assert!(alive);
            assert_eq!(warnings.len(), 1);
            assert_eq!(count.read(), REFCOUNT_SATURATED);
        }
    }
}
