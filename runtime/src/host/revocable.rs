// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Values whose users can be told to let go.
//!
//! Stands for `rust/kernel/revocable.rs`.

use crate::{
    sync::{
        atomic::{AtomicFlag, Relaxed},
        rcu,
    },
    try_pin_init,
    types::Opaque,
};
use core::{fmt, marker::PhantomData, ops::Deref, pin::Pin, ptr::drop_in_place};
use pin_init::{pin_data, pinned_drop, PinInit, Wrapper};

/// A value that is dropped early, when it is revoked, and that nobody can reach any more after
/// that.
///
/// Users reach it in RCU read-side sections, and revoking waits for these.
///
/// # Invariants
///
/// As long as `is_available` is true, `data` is initialised. The caller that changes it to false
/// has to drop the value, and no other code does.
///
/// # Examples
///
/// ```
/// use kernel::{prelude::*, revocable::Revocable};
///
/// let value = KBox::pin_init(Revocable::new(5), GFP_KERNEL)?;
/// assert_eq!(value.try_access_with(|v| v + 1), Some(6));
/// assert!(value.revoke());
/// assert!(value.try_access().is_none());
/// # Ok::<(), Error>(())
/// ```
#[pin_data(PinnedDrop)]
pub struct Revocable<T> {
    is_available: AtomicFlag,
    #[pin]
    data: Opaque<T>,
}

// SAFETY: The revocable owns its `T` and nothing else.
unsafe impl<T: Send> Send for Revocable<T> {}

// SAFETY: A shared revocable lends `&T` (`Sync`), and may drop the `T` on the thread that revokes
// it (`Send`).
unsafe impl<T: Sync + Send> Sync for Revocable<T> {}

impl<T> Revocable<T> {
    /// Makes an initialiser of a revocable with the value that `data` initialises.
    pub fn new<E>(data: impl PinInit<T, E>) -> impl PinInit<Self, E> {
        // INVARIANT: The value is initialised when the initialiser succeeds.
        try_pin_init!(Self {
            is_available: AtomicFlag::new(true),
            data <- <Opaque<T> as Wrapper<T>>::pin_init(data),
        }? E)
    }

    /// Returns the value, with an RCU read-side section that keeps it, or [`None`] after it was
    /// revoked.
    ///
    /// # Context
    ///
    /// Does not sleep, and nothing may until the guard is dropped.
    #[inline]
    pub fn try_access(&self) -> Option<RevocableGuard<'_, T>> {
        let guard = rcu::read_lock();

        // INVARIANT: The value was available inside of the section; see `try_access_with_guard()`.
        self.is_available.load(Relaxed).then(|| RevocableGuard {
            data: self.data.get(),
            _rcu: guard,
            _p: PhantomData,
        })
    }

    /// Returns the value for as long as the caller's RCU read-side section lasts, or [`None`] after
    /// it was revoked.
    ///
    /// # Context
    ///
    /// Does not sleep.
    #[inline]
    pub fn try_access_with_guard<'a>(&'a self, _guard: &'a rcu::Guard) -> Option<&'a T> {
        if !self.is_available.load(Relaxed) {
            return None;
        }

        // SAFETY: By the type invariant the value was there. It is not dropped during `'a`: who
        // revokes it changes the flag first, and as this section has not seen the change, waits
        // for the section.
        Some(unsafe { &*self.data.get() })
    }

    /// Runs `f` on the value in an RCU read-side section, or returns [`None`] after it was revoked.
    ///
    /// # Context
    ///
    /// Does not sleep, and `f` must not.
    #[inline]
    pub fn try_access_with<R, F: FnOnce(&T) -> R>(&self, f: F) -> Option<R> {
        self.try_access().map(|value| f(&value))
    }

    /// Returns the value without asking.
    ///
    /// # Safety
    ///
    /// The value must not have been revoked, nor be revoked as long as the reference exists.
    #[inline]
    pub unsafe fn access(&self) -> &T {
        // SAFETY: By the caller's promise and the type invariant the value is there.
        unsafe { &*self.data.get() }
    }

    /// Returns whether the value was revoked, or is just being revoked.
    ///
    /// Only on the host: what [`Devres::access()`](crate::devres::Devres::access) needs for its
    /// report.
    #[inline]
    pub(crate) fn is_revoked(&self) -> bool {
        !self.is_available.load(Relaxed)
    }

    /// Revokes the value and drops it, without waiting for those who use it.
    ///
    /// Returns whether it did; if not, it was revoked before, and may not be dropped yet.
    ///
    /// # Context
    ///
    /// Does not sleep, unless dropping the value does.
    ///
    /// # Safety
    ///
    /// No code may be using the value.
    pub unsafe fn revoke_nosync(&self) -> bool {
        // SAFETY: The caller promises that nobody is using the value.
        unsafe { self.revoke_then(|| ()) }
    }

    /// Revokes the value, waits for an RCU grace period, and so for those who use the value, and
    /// drops it.
    ///
    /// Returns whether it did; if not, it was revoked before, and may not be dropped yet.
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Panics
    ///
    /// If the thread is in an RCU read-side section, which it would wait for. Nothing is revoked
    /// then.
    #[track_caller]
    pub fn revoke(&self) -> bool {
        rcu::assert_may_synchronize();

        // SAFETY: Users reach the value in RCU read-side sections only, or by `access()`, whose
        // callers promise that it is not revoked. After the grace period those sections are over,
        // and later ones see that the value is not available.
        unsafe { self.revoke_then(rcu::synchronize_rcu) }
    }

    /// Revokes the value and drops it after `wait`.
    ///
    /// # Safety
    ///
    /// When `wait` returns, nobody may be using the value.
    #[track_caller]
    unsafe fn revoke_then(&self, wait: impl FnOnce()) -> bool {
        // INVARIANT: The caller that gets `true` here drops the value, below.
        let revoked = self.is_available.xchg(false, Relaxed);

        if revoked {
            wait();
            // SAFETY: By the type invariant the value was there, and it is this call's to drop. By
            // the caller's promise nobody uses it.
            unsafe { drop_in_place(self.data.get()) };
        }
        revoked
    }
}

#[pinned_drop]
impl<T> PinnedDrop for Revocable<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Nothing is moved out of it.
        let this = unsafe { self.get_unchecked_mut() };

        if *this.is_available.get_mut() {
            // SAFETY: By the type invariant the value is there, and nobody else has dropped it or
            // can use it: `self` is borrowed mutably.
            unsafe { drop_in_place(this.data.get()) };
        }
    }
}

/// Access to the value of a [`Revocable`], which is not dropped meanwhile.
///
/// # Invariants
///
/// The value is there, and is not dropped before the RCU read-side section has ended.
pub struct RevocableGuard<'a, T> {
    /// A pointer, as a reference would have to be good until a function returns that takes the
    /// guard by value and drops it.
    data: *const T,
    _rcu: rcu::Guard,
    _p: PhantomData<&'a T>,
}

impl<T> Deref for RevocableGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant the value is there as long as `self`.
        unsafe { &*self.data }
    }
}

impl<T: fmt::Debug> fmt::Debug for RevocableGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::atomic::{Acquire, AtomicFlag, Release};
    use pin_init::stack_pin_init;
    use std::{
        panic::{catch_unwind, AssertUnwindSafe},
        sync::Arc,
        thread,
        time::Duration,
    };

    #[test]
    fn dropped_once_by_whoever_comes_first() {
        let value = Arc::new(());
        {
            stack_pin_init!(let revocable = Revocable::new(value.clone()));
            assert_eq!(Arc::strong_count(&value), 2);
            assert!(revocable.try_access().is_some());
        }
        assert_eq!(Arc::strong_count(&value), 1);
        {
            stack_pin_init!(let revocable = Revocable::new(value.clone()));
            assert!(revocable.revoke());
            assert_eq!(Arc::strong_count(&value), 1);
            assert!(!revocable.revoke());
            assert!(revocable.is_revoked());
            assert!(revocable.try_access_with_guard(&rcu::read_lock()).is_none());
            assert!(revocable.try_access_with(|_| ()).is_none());
        }
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn revoke_waits_for_users() {
        let (used, done) = (AtomicFlag::new(false), AtomicFlag::new(false));

        /// Sets the flag when it is dropped.
        struct Value<'a>(&'a AtomicFlag);
        impl Drop for Value<'_> {
            fn drop(&mut self) {
                self.0.store(true, Release);
            }
        }

        stack_pin_init!(let revocable = Revocable::new(Value(&done)));
        let revocable = &*revocable;

        thread::scope(|s| {
            s.spawn(|| {
                let value = revocable.try_access().unwrap();
                used.store(true, Release);
                thread::sleep(Duration::from_millis(30));
                assert!(!value.0.load(Acquire), "dropped while it is used");
            });

            while !used.load(Acquire) {
                thread::yield_now();
            }
            assert!(revocable.revoke());
        });
        assert!(done.load(Acquire));
    }

    #[test]
    fn revoking_what_one_uses_is_loud() {
        stack_pin_init!(let revocable = Revocable::new(5));

        let guard = revocable.try_access().unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| revocable.revoke())).is_err());
        assert_eq!(*guard, 5);
        assert!(!revocable.is_revoked());
    }

    #[test]
    fn many_users_and_one_end() {
        for _ in 0..100 {
            let value = Arc::new(7u64);
            stack_pin_init!(let revocable = Revocable::new(value.clone()));
            let revocable = &*revocable;

            thread::scope(|s| {
                for _ in 0..3 {
                    s.spawn(
                        || while revocable.try_access_with(|v| assert_eq!(**v, 7)).is_some() {},
                    );
                }
                assert!(revocable.revoke());
                assert_eq!(Arc::strong_count(&value), 1);
            });
        }
    }
}
