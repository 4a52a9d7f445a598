// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Failures on purpose, and checks for operations that must not happen in atomic context.
//!
//! Has no counterpart among the kernel's Rust files. It stands for three things of the C side that
//! concern the current task: `task_struct::fail_nth` of the fault injection
//! (`Documentation/fault-injection/fault-injection.rst`), `might_sleep()` of
//! `include/linux/kernel.h`, and `current` itself. All of it is per thread.
//!
//! Every modelled allocation asks [`should_fail()`], and everything that may sleep says so by
//! [`might_sleep()`]. It uses thread-locals without destructors only, so that it also works while
//! a thread ends.

use super::{lockdep, unwind};
use crate::{sync::rcu, types::NotThreadSafe};
use core::{
    cell::Cell,
    num::NonZeroU64,
    sync::atomic::{AtomicU64, Ordering},
};

/// The allocations of one thread, as far as a [`FailNth`] counts them.
#[derive(Clone, Copy)]
enum Injection {
    /// Allocations are not counted, and none fails.
    Off,
    /// Allocations are counted, and the one with the number `nth` fails.
    Armed { nth: u64, made: u64 },
}

thread_local! {
    static INJECTION: Cell<Injection> = const { Cell::new(Injection::Off) };
    static TASK: Cell<Option<NonZeroU64>> = const { Cell::new(None) };

    /// How many spinlocks the thread holds.
    static PREEMPT_COUNT: Cell<usize> = const { Cell::new(0) };
}

/// Makes the `nth` allocation of the current thread fail, from now on, counted from 1.
///
/// As when `n` is written to `/proc/thread-self/fail-nth`: exactly one allocation fails, with
/// `ENOMEM`, and those of other threads are not affected. With 0 none fails, and they are only
/// counted. The allocations of everything modelled here count: `KBox`, `Arc`, `Devres`,
/// `devres::register()`, and those of the C model.
///
/// # Panics
///
/// If the thread has a [`FailNth`] already.
///
/// # Examples
///
/// Every allocation failure on the way, one after the other:
///
/// ```
/// use kernel::{prelude::*, testing::fail_nth};
///
/// fn pair() -> Result<(KBox<u32>, KBox<u32>)> {
///     Ok((KBox::new(1, GFP_KERNEL)?, KBox::new(2, GFP_KERNEL)?))
/// }
///
/// for nth in 1.. {
///     let fault = fail_nth(nth);
///     let result = pair();
///     if !fault.tripped() {
///         assert!(result.is_ok());
///         break;
///     }
///     assert_eq!(result.err(), Some(ENOMEM));
/// }
/// ```
#[must_use = "allocations fail only while the guard exists"]
pub fn fail_nth(nth: u64) -> FailNth {
    let before = INJECTION.replace(Injection::Armed { nth, made: 0 });

    if matches!(before, Injection::Armed { .. }) {
        INJECTION.set(before);
        panic!("fail_nth() is already in effect on this thread");
    }
    FailNth(NotThreadSafe)
}

/// Ends what [`fail_nth()`] began when it is dropped, and tells what came of it.
#[derive(Debug)]
pub struct FailNth(NotThreadSafe);

impl FailNth {
    /// Returns whether the allocation that was to fail was reached, and so failed.
    pub fn tripped(&self) -> bool {
        matches!(INJECTION.get(), Injection::Armed { nth, made } if nth != 0 && made >= nth)
    }

    /// Returns how many allocations this thread has tried since, the failed one included.
    pub fn allocations(&self) -> u64 {
        match INJECTION.get() {
            Injection::Armed { made, .. } => made,
            Injection::Off => 0,
        }
    }
}

impl Drop for FailNth {
    fn drop(&mut self) {
        INJECTION.set(Injection::Off);
    }
}

/// Counts one allocation of the current thread, and tells whether it is the one that fails.
pub(crate) fn should_fail() -> bool {
    match INJECTION.get() {
        Injection::Off => false,
        Injection::Armed { nth, made } => {
            let made = made + 1;
            INJECTION.set(Injection::Armed { nth, made });
            made == nth
        }
    }
}

/// Says that the current thread has locked a spinlock: `preempt_disable()`.
#[inline]
pub(crate) fn preempt_disable() {
    PREEMPT_COUNT.set(PREEMPT_COUNT.get() + 1);
}

/// Says that the current thread has unlocked a spinlock: `preempt_enable()`.
#[inline]
pub(crate) fn preempt_enable() {
    PREEMPT_COUNT.set(PREEMPT_COUNT.get() - 1);
}

/// Says that the caller, the C function `what`, may sleep from here on, whether or not it does.
///
/// # Panics
///
/// If the current thread is in atomic context, where nothing may sleep: in an RCU read-side critical
/// section, or with a spinlock held. See [`unwind::report()`] for when.
#[inline]
#[track_caller]
pub(crate) fn might_sleep(what: &str) {
    if rcu::read_lock_held() {
        sleeps_in_atomic(what, "the RCU read lock");
    } else if PREEMPT_COUNT.get() != 0 {
        sleeps_in_atomic(what, &lockdep::held_spinlock());
    }
}

/// The report of [`might_sleep()`].
#[cold]
#[track_caller]
fn sleeps_in_atomic(what: &str, held: &str) {
    unwind::report(format!(
        "BUG: sleeping function called from invalid context: {what}() may sleep, and this thread \
         holds {held}"
    ));
}

/// Returns a number that no other thread of this process has or had. Stands for `current`.
#[inline]
pub(crate) fn current_task() -> NonZeroU64 {
    TASK.get().unwrap_or_else(new_task)
}

/// Gives the current thread its number.
#[cold]
fn new_task() -> NonZeroU64 {
    static LAST: AtomicU64 = AtomicU64::new(0);

    let number = LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    let task = NonZeroU64::new(number).expect("there are fewer than 2^64 threads");
    TASK.set(Some(task));
    task
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{panic::catch_unwind, thread};

    #[test]
    fn only_the_nth_allocation_fails() {
        let fault = fail_nth(3);
        let results: Vec<bool> = (0..5).map(|_| should_fail()).collect();

        assert_eq!(results, [false, false, true, false, false]);
        assert!(fault.tripped());
        assert_eq!(fault.allocations(), 5);

        drop(fault);
        let fault = fail_nth(0);
        assert!(!should_fail());
        assert!(!fault.tripped());
        assert_eq!(fault.allocations(), 1);
    }

    #[test]
    fn other_threads_are_not_affected() {
        let fault = fail_nth(1);
        assert!(!thread::spawn(should_fail).join().unwrap());
        assert_eq!(fault.allocations(), 0);
        assert!(should_fail());
    }

    #[test]
    fn does_not_nest() {
        let fault = fail_nth(2);
        assert!(catch_unwind(|| fail_nth(1)).is_err());

        // The first one is still in effect.
        assert!(!should_fail());
        assert!(should_fail());
        assert!(fault.tripped());
    }

    #[test]
    fn sleeping_in_a_read_side_section_is_loud() {
        might_sleep("msleep");

        let guard = rcu::read_lock();
        let report = catch_unwind(|| might_sleep("msleep")).unwrap_err();
        let report = report.downcast_ref::<String>().unwrap();
        assert!(report.contains("invalid context: msleep()"), "{report}");

        drop(guard);
        might_sleep("msleep");
    }

    #[test]
    fn tasks_differ() {
        assert_eq!(current_task(), current_task());
        assert_ne!(current_task(), thread::spawn(current_task).join().unwrap());
    }
}
