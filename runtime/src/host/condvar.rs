// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Waiting for a change of what a lock protects.
//!
//! Stands for `rust/kernel/sync/condvar.rs`. C header: `include/linux/wait.h`.

use super::{
    lock::{Backend, Guard},
    lockdep::LockClassKey,
    signal::signal_pending,
    time::{self, Jiffies},
    wait::WaitQueue,
};
use crate::str::CStr;
use core::{ffi::c_long, marker::PhantomPinned, pin::Pin, time::Duration};
use pin_init::{pin_data, pin_init, PinInit};

pub use crate::new_condvar;

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

/// A condition variable: threads that hold a lock wait for others to change what it protects.
///
/// A wait unlocks the lock, which is a mutex or a spinlock, and locks it again. It may also end
/// without a reason, so the caller looks whether what it waits for has come. A notification is for
/// the threads that wait at that time; if there are none, it is lost.
///
/// # Examples
///
/// ```
/// use kernel::{new_condvar, new_mutex, prelude::*, sync::{CondVar, Mutex}};
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
    queue: WaitQueue,
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
            queue: {
                key.register(name);
                WaitQueue::new(name)
            },
            _pin: PhantomPinned,
        })
    }

    /// Unlocks, sleeps until it is notified, or `limit` has passed, or a signal is pending, and
    /// locks again. Returns what is left of the limit.
    #[track_caller]
    fn wait_internal<T: ?Sized, B: Backend>(
        &self,
        guard: &mut Guard<'_, T, B>,
        interruptible: bool,
        limit: Option<Duration>,
    ) -> Duration {
        // Before the lock is unlocked, so that no notification is lost after that.
        let waiting = self.queue.prepare_to_wait(interruptible);
        guard.do_unlocked(|| waiting.schedule(limit))
    }

    /// Waits until it is notified.
    ///
    /// A wait for over ten seconds is reported on stderr, as by the kernel's detector of hung
    /// tasks. This shows a resource that waits for itself, since dropping it drops its own owner.
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Panics
    ///
    /// If the thread holds the RCU read lock, or another spinlock than that of the guard. Also if it
    /// holds another lock, and locking this one again is what
    /// [`Lock::lock()`](crate::sync::lock::Lock::lock) refuses.
    #[track_caller]
    pub fn wait<T: ?Sized, B: Backend>(&self, guard: &mut Guard<'_, T, B>) {
        self.wait_internal(guard, false, None);
    }

    /// As [`wait()`](Self::wait), but a signal ends it too. Returns whether one is pending.
    ///
    /// Tests send signals with [`testing::Task`](crate::testing::Task).
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Panics
    ///
    /// As [`wait()`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{prelude::*, sync::{CondVar, Mutex}};
    ///
    /// fn wait_for_job(jobs: &Mutex<KVec<u32>>, added: &CondVar) -> Result<u32> {
    ///     let mut jobs = jobs.lock();
    ///     loop {
    ///         if let Some(job) = jobs.pop() {
    ///             return Ok(job);
    ///         }
    ///         if added.wait_interruptible(&mut jobs) {
    ///             return Err(ERESTARTSYS);
    ///         }
    ///     }
    /// }
    /// ```
    #[must_use = "wait_interruptible returns if a signal is pending, so the caller must check the \
                  return value"]
    #[track_caller]
    pub fn wait_interruptible<T: ?Sized, B: Backend>(&self, guard: &mut Guard<'_, T, B>) -> bool {
        self.wait_internal(guard, true, None);
        signal_pending()
    }

    /// As [`wait_interruptible()`](Self::wait_interruptible). Threads are never frozen on the host.
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Panics
    ///
    /// As [`wait()`](Self::wait).
    #[must_use = "wait_interruptible_freezable returns if a signal is pending, so the caller must \
                  check the return value"]
    #[track_caller]
    pub fn wait_interruptible_freezable<T: ?Sized, B: Backend>(
        &self,
        guard: &mut Guard<'_, T, B>,
    ) -> bool {
        self.wait_interruptible(guard)
    }

    /// As [`wait_interruptible()`](Self::wait_interruptible), for no longer than `jiffies`.
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Panics
    ///
    /// As [`wait()`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     prelude::*,
    ///     sync::{CondVar, CondVarTimeoutResult, Mutex},
    ///     time::{msecs_to_jiffies, Jiffies},
    /// };
    ///
    /// fn wait_for_idle(busy: &Mutex<bool>, idle: &CondVar) -> Result {
    ///     let mut busy = busy.lock();
    ///     let mut left: Jiffies = msecs_to_jiffies(20);
    ///     while *busy {
    ///         match idle.wait_interruptible_timeout(&mut busy, left) {
    ///             CondVarTimeoutResult::Woken { jiffies } => left = jiffies,
    ///             CondVarTimeoutResult::Timeout => return Err(ETIMEDOUT),
    ///             CondVarTimeoutResult::Signal { .. } => return Err(ERESTARTSYS),
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// # use kernel::{new_condvar, new_mutex};
    /// # let busy = KBox::pin_init(new_mutex!(true), GFP_KERNEL)?;
    /// # let idle = KBox::pin_init(new_condvar!(), GFP_KERNEL)?;
    /// # assert_eq!(wait_for_idle(&busy, &idle), Err(ETIMEDOUT));
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use = "wait_interruptible_timeout returns if a signal is pending, so the caller must \
                  check the return value"]
    #[track_caller]
    pub fn wait_interruptible_timeout<T: ?Sized, B: Backend>(
        &self,
        guard: &mut Guard<'_, T, B>,
        jiffies: Jiffies,
    ) -> CondVarTimeoutResult {
        // A time that is too large for a timeout of C waits for ever there: `MAX_SCHEDULE_TIMEOUT`.
        let limit = c_long::try_from(jiffies)
            .ok()
            .map(|_| time::from_jiffies(jiffies));
        let left = self.wait_internal(guard, true, limit);
        let left = limit.map_or(Jiffies::MAX, |_| time::to_jiffies(left));

        match (left, signal_pending()) {
            (jiffies, true) => CondVarTimeoutResult::Signal { jiffies },
            (0, false) => CondVarTimeoutResult::Timeout,
            (jiffies, false) => CondVarTimeoutResult::Woken { jiffies },
        }
    }

    /// Wakes the thread that has waited longest, if there is one, and hints that the caller is about
    /// to sleep. The host ignores the hint. Stands for `__wake_up_sync()`.
    ///
    /// # Context
    ///
    /// Does not sleep.
    #[inline]
    pub fn notify_sync(&self) {
        self.notify_one();
    }

    /// Wakes the thread that has waited longest, if there is one. Stands for `wake_up()`.
    ///
    /// # Context
    ///
    /// Does not sleep.
    #[inline]
    pub fn notify_one(&self) {
        self.queue.wake_up(1);
    }

    /// Wakes all threads that wait. Stands for `wake_up_all()`.
    ///
    /// # Context
    ///
    /// Does not sleep.
    #[inline]
    pub fn notify_all(&self) {
        self.queue.wake_up(0);
    }
}

/// Why [`CondVar::wait_interruptible_timeout()`] has returned.
pub enum CondVarTimeoutResult {
    /// The time has passed.
    Timeout,
    /// The thread was woken.
    Woken {
        /// The time that is left.
        jiffies: Jiffies,
    },
    /// A signal is pending.
    Signal {
        /// The time that is left.
        jiffies: Jiffies,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        prelude::*,
        sync::{
            atomic::{Atomic, Relaxed},
            new_mutex, new_spinlock, rcu, Mutex, SpinLock,
        },
        testing::Task,
        time::msecs_to_jiffies,
    };
    use std::{
        panic::{catch_unwind, AssertUnwindSafe},
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

    /// Runs threads that wait for a turn each, in the order in which they begin to wait.
    fn woken_in_turn(notify: impl Fn(&CondVar)) -> Vec<usize> {
        let order: Pin<KBox<SpinLock<Vec<usize>>>> =
            KBox::pin_init(new_spinlock!(Vec::new()), GFP_KERNEL).unwrap();
        let turn: Pin<KBox<CondVar>> = KBox::pin_init(new_condvar!(), GFP_KERNEL).unwrap();
        let waiting = Atomic::new(0usize);
        let wait_for = |count: usize| {
            while waiting.load(Relaxed) < count {
                thread::yield_now();
            }
            // The last one sleeps when it has unlocked.
            drop(order.lock());
        };

        thread::scope(|scope| {
            for number in 0..3 {
                let (order, turn, waiting) = (&order, &turn, &waiting);
                scope.spawn(move || {
                    let mut order = order.lock();
                    waiting.add(1, Relaxed);
                    turn.wait(&mut order);
                    order.push(number);
                });
                wait_for(number + 1);
            }
            for number in 1..=3 {
                notify(&turn);
                while order.lock().len() < number {
                    thread::yield_now();
                }
            }
        });
        let woken = order.lock().clone();
        woken
    }

    #[test]
    fn one_is_woken_in_the_order_of_waiting_and_a_spinlock_will_do() {
        assert_eq!(woken_in_turn(CondVar::notify_one), [0, 1, 2]);
        assert_eq!(woken_in_turn(CondVar::notify_sync), [0, 1, 2]);
    }

    #[test]
    fn a_notification_for_nobody_is_lost() {
        let lock: Pin<KBox<Mutex<()>>> = KBox::pin_init(new_mutex!(()), GFP_KERNEL).unwrap();
        let changed: Pin<KBox<CondVar>> = KBox::pin_init(new_condvar!(), GFP_KERNEL).unwrap();
        changed.notify_all();

        let mut guard = lock.lock();
        assert!(matches!(
            changed.wait_interruptible_timeout(&mut guard, 5),
            CondVarTimeoutResult::Timeout
        ));
        assert!(lock.try_lock().is_none(), "it is not locked again");
    }

    #[test]
    fn a_notification_or_a_signal_leaves_some_time() {
        let lock: Pin<KBox<Mutex<u32>>> = KBox::pin_init(new_mutex!(0), GFP_KERNEL).unwrap();
        let changed: Pin<KBox<CondVar>> = KBox::pin_init(new_condvar!(), GFP_KERNEL).unwrap();
        let minute = msecs_to_jiffies(60_000);

        thread::scope(|scope| {
            let mut guard = lock.lock();
            scope.spawn(|| {
                drop(lock.lock());
                changed.notify_all();
            });
            match changed.wait_interruptible_timeout(&mut guard, minute) {
                CondVarTimeoutResult::Woken { jiffies } => {
                    assert!((1..=minute).contains(&jiffies));
                }
                _ => panic!("not woken"),
            }

            let task = Task::current();
            scope.spawn(move || task.send_signal());
            match changed.wait_interruptible_timeout(&mut guard, minute) {
                CondVarTimeoutResult::Signal { jiffies } => {
                    assert!((1..=minute).contains(&jiffies));
                }
                _ => panic!("no signal"),
            }
            // It is still pending, and the time does not matter.
            assert!(changed.wait_interruptible(&mut guard));
            assert!(changed.wait_interruptible_freezable(&mut guard));
            assert!(matches!(
                changed.wait_interruptible_timeout(&mut guard, Jiffies::MAX),
                CondVarTimeoutResult::Signal {
                    jiffies: Jiffies::MAX
                }
            ));
            Task::flush_signals();
        });
    }

    #[test]
    fn a_signal_does_not_end_a_plain_wait() {
        let lock: Pin<KBox<Mutex<bool>>> = KBox::pin_init(new_mutex!(false), GFP_KERNEL).unwrap();
        let changed: Pin<KBox<CondVar>> = KBox::pin_init(new_condvar!(), GFP_KERNEL).unwrap();

        let task = Task::current();
        thread::scope(|scope| {
            let mut guard = lock.lock();
            scope.spawn(|| {
                drop(lock.lock());
                task.send_signal();
                thread::sleep(Duration::from_millis(20));
                *lock.lock() = true;
                changed.notify_one();
            });
            changed.wait(&mut guard);
            assert!(*guard);
            Task::flush_signals();
        });
    }

    #[test]
    fn waiting_with_another_spinlock_held_is_loud() {
        let own: Pin<KBox<SpinLock<u32>>> = KBox::pin_init(new_spinlock!(1), GFP_KERNEL).unwrap();
        let other: Pin<KBox<SpinLock<()>>> =
            KBox::pin_init(new_spinlock!((), "other"), GFP_KERNEL).unwrap();
        let changed: Pin<KBox<CondVar>> = KBox::pin_init(new_condvar!(), GFP_KERNEL).unwrap();

        let mut guard = own.lock();
        let held = other.lock();
        let report = catch_unwind(AssertUnwindSafe(|| changed.wait(&mut guard))).unwrap_err();
        let report = report.downcast_ref::<String>().unwrap();
        // Locking it again would also be against the order.
        assert!(
            report.contains("possible circular locking dependency"),
            "{report}"
        );
        drop(held);
        drop(guard);

        let held = other.try_lock().unwrap();
        let mut guard = own.try_lock().unwrap();
        let report = catch_unwind(AssertUnwindSafe(|| {
            // The order is unknown to this class.
            let fresh: Pin<KBox<SpinLock<()>>> =
                KBox::pin_init(new_spinlock!(()), GFP_ATOMIC).unwrap();
            let mut fresh = fresh.try_lock().unwrap();
            changed.wait(&mut fresh);
        }))
        .unwrap_err();
        let report = report.downcast_ref::<String>().unwrap();
        assert!(report.contains("schedule() may sleep"), "{report}");
        *guard = 2;
        drop(guard);
        drop(held);
        assert_eq!(*own.lock(), 2);
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
