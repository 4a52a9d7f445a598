// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Waiting for a change of what a mutex protects.
//!
//! Stands for `rust/kernel/sync/condvar.rs`. C header: `include/linux/wait.h`.

use super::{
    lockdep::LockClassKey,
    mutex::MutexGuard, //
};
use crate::{
    fault,
    str::CStr, //
};
use core::{
    marker::PhantomPinned,
    pin::Pin, //
};
use pin_init::{
    pin_data,
    pin_init,
    PinInit, //
};
use std::{
    sync,
    time::Duration, //
};

pub use crate::new_condvar;

/// How long [`CondVar::wait()`] waits until it says so on stderr, and returns.
const STALL: Duration = Duration::from_secs(10);

/// Makes an initialiser of a [`CondVar`], with a lock class of its own.
///
/// The name is `file:line` unless it is given.
#[macro_export]
macro_rules! new_condvar {
    ($($name:literal)? $(,)?) => {
        $crate::sync::CondVar::new(
            {
                static NAME: &$crate::str::CStr = $crate::optional_name!($($name)?);
                NAME
            },
            $crate::static_lock_class!(),
        )
    };
}

/// A condition variable: threads that hold a mutex wait for others to change what it protects.
///
/// # Examples
///
/// ```
/// use devres_lazy::{new_condvar, new_mutex, prelude::*, sync::{CondVar, Mutex}};
///
/// #[pin_data]
/// struct Gate {
///     #[pin]
///     open: Mutex<bool>,
///     #[pin]
///     opened: CondVar,
/// }
///
/// let gate = KBox::pin_init(
///     pin_init!(Gate {
///         open <- new_mutex!(false),
///         opened <- new_condvar!(),
///     }),
///     GFP_KERNEL,
/// )?;
///
/// std::thread::scope(|scope| {
///     scope.spawn(|| {
///         *gate.open.lock() = true;
///         gate.opened.notify_all();
///     });
///
///     let mut open = gate.open.lock();
///     while !*open {
///         gate.opened.wait(&mut open);
///     }
/// });
/// # Ok::<(), Error>(())
/// ```
#[pin_data]
pub struct CondVar {
    name: &'static CStr,
    waiters: sync::Condvar,
    #[pin]
    _pin: PhantomPinned,
}

impl CondVar {
    /// Makes an initialiser of a condition variable of the class `key`. Stands for
    /// `init_waitqueue_head()`.
    ///
    /// # Panics
    ///
    /// The initialiser does, if `key` was used with another name before.
    pub fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            name: {
                key.register(name);
                name
            },
            waiters: sync::Condvar::new(),
            _pin: PhantomPinned,
        })
    }

    /// Unlocks the mutex, waits until it is notified, and locks it again. It may also return
    /// without a reason, so the caller looks whether what it waits for has come.
    ///
    /// Says so on stderr if that takes long, as the kernel's detector of hung tasks does: what a
    /// resource looks like that waits for itself, since dropping it drops its own owner.
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Panics
    ///
    /// If the thread holds the RCU read lock. Also if it holds another mutex, and locking this one
    /// again is what [`Mutex::lock()`](crate::sync::Mutex::lock) refuses.
    #[track_caller]
    pub fn wait<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>) {
        fault::might_sleep("schedule");

        if guard.wait_on(&self.waiters, STALL) {
            eprintln!(
                "INFO: task blocked for more than {STALL:?} on `{}`",
                self.name.to_string_lossy()
            );
        }
    }

    /// Wakes up all who wait.
    ///
    /// # Context
    ///
    /// Does not sleep.
    pub fn notify_all(&self) {
        self.waiters.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        prelude::*,
        sync::{
            new_mutex,
            rcu,
            Mutex, //
        },
    };
    use std::{
        panic::{
            catch_unwind,
            AssertUnwindSafe, //
        },
        thread,
    };

    #[test]
    fn all_are_woken_and_hold_the_lock_again() {
        let count: Pin<KBox<Mutex<u32>>> = KBox::pin_init(new_mutex!(0), GFP_KERNEL).unwrap();
        let changed: Pin<KBox<CondVar>> = KBox::pin_init(new_condvar!(), GFP_KERNEL).unwrap();

        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut guard = count.lock();
                    *guard += 1;
                    changed.notify_all();
                    while *guard < 3 {
                        changed.wait(&mut guard);
                    }

                    // It is this thread's again: taking it twice would be the deadlock.
                    assert!(catch_unwind(AssertUnwindSafe(|| drop(count.lock()))).is_err());
                });
            }
        });
        assert_eq!(*count.lock(), 3);
    }

    #[test]
    fn a_wait_without_an_end_is_noticed() {
        let lock: Pin<KBox<Mutex<u32>>> = KBox::pin_init(new_mutex!(5), GFP_KERNEL).unwrap();
        let nobody = sync::Condvar::new();

        let mut guard = lock.lock();
        assert!(guard.wait_on(&nobody, Duration::from_millis(1)));
        assert_eq!(*guard, 5);
        assert!(lock.try_lock().is_none(), "it is not locked again");
    }

    #[test]
    fn waiting_in_a_read_side_section_is_loud() {
        let lock: Pin<KBox<Mutex<()>>> = KBox::pin_init(new_mutex!(()), GFP_KERNEL).unwrap();
        let changed: Pin<KBox<CondVar>> = KBox::pin_init(new_condvar!(), GFP_KERNEL).unwrap();

        let mut guard = lock.lock();
        let section = rcu::read_lock();
        let report = catch_unwind(AssertUnwindSafe(|| changed.wait(&mut guard)));
        drop(section);
        assert!(report.is_err());
    }
}
