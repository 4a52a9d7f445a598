// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The spinlock.
//!
//! Stands for `rust/kernel/sync/lock/spinlock.rs`, without `SpinLockIrq`. C header:
//! `include/linux/spinlock.h`.
//!
//! A thread that sleeps, or may sleep, while it holds a spinlock panics. So does one that locks what
//! it holds. Each lock is also checked by `lockdep`.

use super::{Backend, Guard, Lock};
use crate::bindings;
use core::ffi::c_char;

pub use crate::new_spinlock;

/// Makes an initialiser of a [`SpinLock`], with a lock class of its own.
///
/// The name is `file:line` unless it is given.
///
/// # Examples
///
/// ```
/// use kernel::{new_spinlock, prelude::*};
///
/// let pending = KBox::pin_init(new_spinlock!(0, "pending"), GFP_KERNEL)?;
/// *pending.lock() |= 1 << 5;
/// # Ok::<(), Error>(())
/// ```
#[macro_export]
macro_rules! new_spinlock {
    ($inner:expr $(, $name:literal)? $(,)?) => {
        $crate::sync::SpinLock::new(
            $inner,
            {
                static NAME: &$crate::str::CStr = $crate::optional_name!($($name)?);
                NAME
            },
            $crate::static_lock_class!(),
        )
    };
}

/// A value that one thread at a time may use, for a short time without sleeping.
///
/// Stands for `spinlock_t`. A thread that holds it is in atomic context: a mutex, an allocation
/// with `GFP_KERNEL`, or a wait for a completion or a grace period panics. It panics whether or not
/// it would really sleep. See [`Lock`] for the rest.
///
/// Interrupts do not exist on the host.
///
/// # Examples
///
/// ```
/// use kernel::{new_spinlock, prelude::*, sync::SpinLock};
///
/// #[pin_data]
/// struct Queue {
///     #[pin]
///     jobs: SpinLock<KVec<u32>>,
/// }
///
/// let queue = KBox::pin_init(
///     pin_init!(Queue {
///         jobs <- new_spinlock!(KVec::new(), "Queue::jobs"),
///     }),
///     GFP_KERNEL,
/// )?;
/// queue.jobs.lock().push(7, GFP_ATOMIC)?;
/// assert_eq!(*queue.jobs.lock(), [7]);
/// # Ok::<(), Error>(())
/// ```
///
/// Memory that may have to be waited for:
///
/// ```should_panic
/// # use kernel::{new_spinlock, prelude::*};
/// let jobs = KBox::pin_init(new_spinlock!(KVec::new()), GFP_KERNEL).unwrap();
/// let _ = jobs.lock().push(7, GFP_KERNEL);
/// ```
///
/// The guard belongs to its thread:
///
/// ```compile_fail,E0277
/// # use kernel::{new_spinlock, prelude::*};
/// let lock = KBox::pin_init(new_spinlock!(3), GFP_KERNEL).unwrap();
/// let guard = lock.lock();
/// std::thread::scope(|s| {
///     s.spawn(|| drop(guard));
/// });
/// ```
pub type SpinLock<T> = Lock<T, SpinLockBackend>;

/// Access to what a [`SpinLock`] protects; unlocks it when it is dropped.
pub type SpinLockGuard<'a, T> = Guard<'a, T, SpinLockBackend>;

/// The [`Backend`] of a [`SpinLock`]: `spinlock_t`.
pub struct SpinLockBackend;

// SAFETY: One thread at a time holds a `spinlock_t`, and `relock()` locks it as `lock()` does.
unsafe impl Backend for SpinLockBackend {
    type State = bindings::spinlock_t;
    type GuardState = ();

    #[inline]
    unsafe fn init(ptr: *mut Self::State, name: *const c_char, key: *mut bindings::lock_class_key) {
        // SAFETY: The caller promises that `ptr` is valid for a write, and that `name` and `key`
        // stay valid.
        unsafe { bindings::__spin_lock_init(ptr, name, key) }
    }

    #[inline]
    unsafe fn lock(ptr: *mut Self::State) -> Self::GuardState {
        // SAFETY: The caller promises that `ptr` is initialised.
        unsafe { bindings::spin_lock(ptr) }
    }

    #[inline]
    unsafe fn try_lock(ptr: *mut Self::State) -> Option<Self::GuardState> {
        // SAFETY: The caller promises that `ptr` is initialised.
        (unsafe { bindings::spin_trylock(ptr) } != 0).then_some(())
    }

    #[inline]
    unsafe fn unlock(ptr: *mut Self::State, _guard_state: &Self::GuardState) {
        // SAFETY: The caller promises that the current thread holds the lock.
        unsafe { bindings::spin_unlock(ptr) }
    }

    #[inline]
    unsafe fn relock(ptr: *mut Self::State, _guard_state: &mut Self::GuardState) {
        // SAFETY: The caller promises that `ptr` is initialised.
        unsafe { bindings::spin_relock(ptr) }
    }

    #[inline]
    unsafe fn assert_is_held(ptr: *mut Self::State) {
        // SAFETY: The caller promises that `ptr` is initialised.
        unsafe { bindings::spin_assert_is_held(ptr) }
    }

    #[inline]
    unsafe fn check_relock(ptr: *mut Self::State) {
        // SAFETY: The current thread holds the lock, so it is initialised.
        unsafe { bindings::spin_check_relock(ptr) }
    }

    #[inline]
    unsafe fn destroy(ptr: *mut Self::State) {
        // SAFETY: The caller promises that `ptr` is initialised, and does not use it as a lock
        // after this.
        unsafe { bindings::spin_lock_destroy(ptr) }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        prelude::*,
        sync::{new_mutex, rcu, Completion},
    };
    use ::pin_init::stack_pin_init;
    use core::mem;
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
        stack_pin_init!(let count = new_spinlock!(0u32));
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
    fn sleeping_with_it_held_is_loud() {
        stack_pin_init!(let spin = new_spinlock!((), "spin"));
        stack_pin_init!(let mutex = new_mutex!(()));
        stack_pin_init!(let done = Completion::new());
        done.complete_all();

        let guard = spin.lock();
        let sleeps: [(&str, &dyn Fn()); 5] = [
            ("mutex_lock", &|| drop(mutex.lock())),
            ("kmalloc", &|| drop(KBox::new(1, GFP_KERNEL))),
            ("vmalloc", &|| drop(VBox::new(1, GFP_KERNEL))),
            ("wait_for_completion", &|| done.wait_for_completion()),
            ("synchronize_rcu", &rcu::synchronize_rcu),
        ];
        for (what, sleep) in sleeps {
            let report = report(sleep);
            assert!(report.contains(&format!("{what}() may sleep")), "{report}");
            assert!(report.contains("holds the spinlock `spin` at "), "{report}");
            assert!(report.contains(file!()), "{report}");
        }

        // These do not sleep.
        assert!(KBox::new(1, GFP_ATOMIC).is_ok());
        drop(mutex.try_lock().unwrap());
        drop(rcu::read_lock());

        drop(guard);
        for (_, sleep) in sleeps {
            sleep();
        }
    }

    #[test]
    fn the_context_ends_with_the_last_one() {
        stack_pin_init!(let outer = new_spinlock!((), "outer"));
        stack_pin_init!(let inner = new_spinlock!((), "inner"));

        let first = outer.lock();
        let second = inner.try_lock().unwrap();
        assert!(report(|| drop(KBox::new(1, GFP_KERNEL))).contains("`inner`"));
        drop(second);
        assert!(report(|| drop(KBox::new(1, GFP_KERNEL))).contains("`outer`"));
        drop(first);
        assert!(KBox::new(1, GFP_KERNEL).is_ok());
    }

    #[test]
    fn a_panic_unlocks_and_ends_the_context() {
        stack_pin_init!(let lock = new_spinlock!(1));

        report(|| {
            let mut value = lock.lock();
            *value = 2;
            panic!("{}", "holder");
        });
        assert_eq!(*lock.lock(), 2);
        assert!(KBox::new(1, GFP_KERNEL).is_ok());
    }

    #[test]
    fn recursion_and_the_order_of_classes_are_loud() {
        stack_pin_init!(let spin = new_spinlock!((), "spin"));
        stack_pin_init!(let mutex = new_mutex!((), "mutex"));

        let guard = spin.lock();
        let text = report(|| drop(spin.lock()));
        assert_eq!(text, "deadlock: `spin` is already held by this thread");
        drop(guard);

        // A mutex may be held around a spinlock, in one order only.
        stack_pin_init!(let other = new_spinlock!((), "other"));
        let outer = mutex.lock();
        let first = spin.lock();
        drop(other.lock());
        drop(first);
        drop(outer);

        let first = other.lock();
        let text = report(|| drop(spin.lock()));
        assert!(
            text.contains("possible circular locking dependency"),
            "{text}"
        );
        drop(first);
    }

    #[test]
    fn freeing_it_while_it_is_held_is_loud() {
        let lock = KBox::pin_init(new_spinlock!((), "lock"), GFP_KERNEL).unwrap();
        mem::forget(lock.lock());

        let text = report(|| drop(lock));
        assert!(text.contains("held lock freed"), "{text}");
        // The thread is still in the context that it has forgotten to end.
        crate::fault::preempt_enable();
    }
}
