// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The mutex.
//!
//! Stands for `rust/kernel/sync/lock/mutex.rs`. C header: `include/linux/mutex.h`.
//!
//! A thread that locks what it holds panics. Each lock is also checked by `lockdep`.

use super::{Backend, Guard, Lock};
use crate::bindings;
use core::ffi::c_char;

pub use crate::new_mutex;

/// Makes an initialiser of a [`Mutex`], with a lock class of its own.
///
/// The name is `file:line` unless it is given.
///
/// # Examples
///
/// ```
/// use kernel::{new_mutex, prelude::*};
///
/// let jobs = KBox::pin_init(new_mutex!(Vec::<u32>::new(), "jobs"), GFP_KERNEL)?;
/// jobs.lock().push(1);
/// # Ok::<(), Error>(())
/// ```
#[macro_export]
macro_rules! new_mutex {
    ($inner:expr $(, $name:literal)? $(,)?) => {
        $crate::sync::Mutex::new(
            $inner,
            {
                static NAME: &$crate::str::CStr = $crate::optional_name!($($name)?);
                NAME
            },
            $crate::static_lock_class!(),
        )
    };
}

/// A value that one thread at a time may use; others sleep until it is their turn.
///
/// Stands for `struct mutex`. It has to be pinned. A thread that panics unlocks what it holds, and
/// the value stays usable. A thread that frees a mutex with the lock held, since it has forgotten
/// the guard, panics.
///
/// # Examples
///
/// ```
/// use kernel::{new_mutex, prelude::*, sync::Mutex};
///
/// #[pin_data]
/// struct Queue {
///     #[pin]
///     length: Mutex<u32>,
/// }
///
/// let queue = KBox::pin_init(
///     pin_init!(Queue {
///         length <- new_mutex!(3, "Queue::length"),
///     }),
///     GFP_KERNEL,
/// )?;
/// *queue.length.lock() += 1;
/// assert_eq!(*queue.length.lock(), 4);
/// # Ok::<(), Error>(())
/// ```
///
/// The guard belongs to its thread:
///
/// ```compile_fail,E0277
/// # use kernel::{new_mutex, prelude::*};
/// let lock = KBox::pin_init(new_mutex!(3), GFP_KERNEL).unwrap();
/// let guard = lock.lock();
/// std::thread::scope(|s| {
///     s.spawn(|| drop(guard));
/// });
/// ```
pub type Mutex<T> = Lock<T, MutexBackend>;

/// Access to what a [`Mutex`] protects; unlocks it when it is dropped.
pub type MutexGuard<'a, T> = Guard<'a, T, MutexBackend>;

/// The [`Backend`] of a [`Mutex`]: `struct mutex`.
pub struct MutexBackend;

// SAFETY: One thread at a time holds a `struct mutex`, and `relock()` locks it as `lock()` does.
unsafe impl Backend for MutexBackend {
    type State = bindings::mutex;
    type GuardState = ();

    #[inline]
    unsafe fn init(ptr: *mut Self::State, name: *const c_char, key: *mut bindings::lock_class_key) {
        // SAFETY: The caller promises that `ptr` is valid for a write, and that `name` and `key`
        // stay valid.
        unsafe { bindings::__mutex_init(ptr, name, key) }
    }

    #[inline]
    unsafe fn lock(ptr: *mut Self::State) -> Self::GuardState {
        // SAFETY: The caller promises that `ptr` is initialised.
        unsafe { bindings::mutex_lock(ptr) }
    }

    #[inline]
    unsafe fn try_lock(ptr: *mut Self::State) -> Option<Self::GuardState> {
        // SAFETY: The caller promises that `ptr` is initialised.
        (unsafe { bindings::mutex_trylock(ptr) } != 0).then_some(())
    }

    #[inline]
    unsafe fn unlock(ptr: *mut Self::State, _guard_state: &Self::GuardState) {
        // SAFETY: The caller promises that the current thread holds the lock.
        unsafe { bindings::mutex_unlock(ptr) }
    }

    #[inline]
    unsafe fn relock(ptr: *mut Self::State, _guard_state: &mut Self::GuardState) {
        // SAFETY: The caller promises that `ptr` is initialised.
        unsafe { bindings::mutex_relock(ptr) }
    }

    #[inline]
    unsafe fn assert_is_held(ptr: *mut Self::State) {
        // SAFETY: The caller promises that `ptr` is initialised.
        unsafe { bindings::mutex_assert_is_held(ptr) }
    }

    #[inline]
    unsafe fn check_relock(ptr: *mut Self::State) {
        // SAFETY: The current thread holds the lock, so it is initialised.
        unsafe { bindings::mutex_check_relock(ptr) }
    }

    #[inline]
    unsafe fn destroy(ptr: *mut Self::State) {
        // SAFETY: The caller promises that `ptr` is initialised, and does not use it as a lock
        // after this.
        unsafe { bindings::mutex_destroy(ptr) }
    }
}

#[cfg(test)]
mod tests {
    use crate::sync::rcu;
    use core::marker::PhantomPinned;
    use pin_init::stack_pin_init;
    use std::{
        panic::{catch_unwind, AssertUnwindSafe},
        thread,
    };

    fn report(f: impl FnOnce()) -> String {
        let report = catch_unwind(AssertUnwindSafe(f)).expect_err("no failure");
        report.downcast_ref::<String>().cloned().expect("no text")
    }

    #[test]
    fn excludes() {
        stack_pin_init!(let count = new_mutex!(0u32));
        let count = &*count;

        thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    for _ in 0..1000 {
                        let mut count = count.lock();
                        let before = *count;
                        thread::yield_now();
                        *count = before + 1;
                    }
                });
            }
        });
        assert_eq!(*count.lock(), 4000);
    }

    #[test]
    fn recursion_is_loud() {
        stack_pin_init!(let lock = new_mutex!((), "outer"));

        let guard = lock.lock();
        assert!(core::ptr::eq(guard.lock_ref(), &*lock));
        assert!(lock.try_lock().is_none());
        let report = report(|| drop(lock.lock()));
        assert_eq!(report, "deadlock: `outer` is already held by this thread");

        drop(guard);
        assert!(lock.try_lock().is_some());
    }

    #[test]
    fn a_panic_unlocks_and_does_not_poison() {
        stack_pin_init!(let lock = new_mutex!(1));

        report(|| {
            let mut value = lock.lock();
            *value = 2;
            panic!("{}", "holder");
        });
        assert_eq!(*lock.lock(), 2);
        assert_eq!(*lock.try_lock().unwrap(), 2);
    }

    #[test]
    fn locking_under_rcu_is_loud() {
        stack_pin_init!(let lock = new_mutex!(()));
        let _guard = rcu::read_lock();

        assert!(report(|| drop(lock.lock())).contains("mutex_lock()"));
        assert!(lock.try_lock().is_some());
    }

    #[test]
    fn default_name_and_pinned_value() {
        struct Pinned(u32, PhantomPinned);

        // A constant of the caller does not collide with those of the macro.
        const NAME: u32 = 5;
        stack_pin_init!(let lock = new_mutex!(Pinned(NAME, PhantomPinned)));

        let mut guard = lock.lock();
        assert_eq!(guard.as_mut().0, 5);
        let text = report(|| drop(lock.lock()));
        assert!(
            text.starts_with(concat!("deadlock: `", file!(), ":")),
            "{text}"
        );
    }
}
