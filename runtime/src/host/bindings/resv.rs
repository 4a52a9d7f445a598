// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The lock of a reservation object, as in `include/linux/dma-resv.h` and
//! `kernel/locking/ww_mutex.h`.
//!
//! Fences and acquire contexts are not modelled; the lock is, with the checks that `PROVE_LOCKING`
//! makes: it knows its owner, and all reservation locks are one class of `lockdep`. Uses `fault`
//! and `lockdep`.

use super::warn;
use crate::{
    error::code,
    fault,
    lockdep::{LockClassKey, LockdepMap},
    parking::Parking,
    signal::signal_pending,
};
use core::{
    ffi::c_int,
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};
/// `struct ww_acquire_ctx`, of which no value exists: callers pass null, which locks without a
/// context.
pub enum ww_acquire_ctx {}

/// `struct dma_resv`: the reservation lock of a buffer. All zeroes is unlocked.
#[derive(Debug, Default)]
pub struct dma_resv {
    /// The number of the thread that holds the lock, or 0.
    owner: AtomicU64,
}

impl dma_resv {
    /// An unlocked reservation object: `dma_resv_init()`.
    pub const fn new() -> Self {
        Self {
            owner: AtomicU64::new(0),
        }
    }

    fn try_lock(&self) -> bool {
        self.owner
            .compare_exchange(0, current(), Ordering::SeqCst, Ordering::Relaxed)
            .is_ok()
    }

    /// The lock as lockdep knows it: `DEFINE_WW_CLASS(reservation_ww_class)`.
    fn dep_map(&self) -> LockdepMap {
        // SAFETY: The key is put into a static, which is never dropped.
        static CLASS: LockClassKey = unsafe { LockClassKey::new_static() };

        LockdepMap::new(CLASS.register(c"reservation_ww_class_mutex"), self)
    }

    fn is_held(&self) -> bool {
        // Only this thread stores this value, so that it cannot be missed.
        self.owner.load(Ordering::Relaxed) == current()
    }
}

/// The number of this thread, never 0 and never used again.
fn current() -> u64 {
    fault::current_task().get()
}

/// The place where threads sleep. One for all locks: a thread that wakes up in vain looks again.
static WAIT_QUEUE: Parking = Parking::new();

/// Locks a reservation object, and sleeps until that is possible: `dma_resv_lock()`.
///
/// Returns 0. A thread that holds the lock already would wait for itself; that is a loud failure,
/// and `-EDEADLK` where the failure is collected.
///
/// lockdep also reports a thread that holds the reservation lock of another object, since there is
/// no acquire context, and reservation locks and mutexes that are taken in both orders. A report
/// needs no second thread, as for [`Mutex::lock()`](crate::sync::Mutex::lock). Where the report is
/// collected, the lock is taken.
///
/// # Safety
///
/// `obj` points to an initialised reservation object that outlives the lock.
#[track_caller]
pub unsafe fn dma_resv_lock(obj: *mut dma_resv, _ctx: *mut ww_acquire_ctx) -> c_int {
    fault::might_sleep("dma_resv_lock");

    // SAFETY: The caller promises an initialised reservation object.
    let resv = unsafe { &*obj };

    lock(resv, || false)
}

/// Acquires the lock, and sleeps until that is possible or `is_interrupted`: `ww_mutex_lock()`,
/// which looks for signals only when it has to wait.
#[track_caller]
fn lock(resv: &dma_resv, is_interrupted: impl Fn() -> bool) -> c_int {
    if resv.is_held() {
        warn(format!(
            "possible recursive locking detected: reservation lock {resv:p} is already held by \
             this thread"
        ));
        return code::EDEADLK.to_errno();
    }
    resv.dep_map().acquire();

    let mut is_locked = resv.try_lock();
    if !is_locked {
        WAIT_QUEUE.wait_until(|| {
            is_locked = resv.try_lock();
            is_locked || is_interrupted()
        });
    }
    if is_locked {
        0
    } else {
        resv.dep_map().release();
        code::EINTR.to_errno()
    }
}

/// Wakes all threads that wait for a lock, so that they look for signals.
pub(crate) fn wake_up_interruptible() {
    WAIT_QUEUE.wake_all();
}

/// Like [`dma_resv_lock`], but fails with `-EINTR` if it has to wait and the thread has a signal
/// pending, see [`Task`](crate::testing::Task): `dma_resv_lock_interruptible()`.
///
/// # Safety
///
/// As for [`dma_resv_lock`].
#[track_caller]
pub unsafe fn dma_resv_lock_interruptible(obj: *mut dma_resv, _ctx: *mut ww_acquire_ctx) -> c_int {
    fault::might_sleep("dma_resv_lock_interruptible");

    // SAFETY: The caller promises an initialised reservation object.
    lock(unsafe { &*obj }, signal_pending)
}

/// Unlocks a reservation object: `dma_resv_unlock()`.
///
/// A lock that this thread does not hold is a loud failure, and stays as it is.
///
/// # Safety
///
/// `obj` points to an initialised reservation object.
#[track_caller]
pub unsafe fn dma_resv_unlock(obj: *mut dma_resv) {
    // SAFETY: The caller promises an initialised reservation object.
    let resv = unsafe { &*obj };

    if !resv.is_held() {
        warn(format!(
            "bad unlock balance detected: reservation lock {obj:p} is not held by this thread"
        ));
        return;
    }
    resv.dep_map().release();
    resv.owner.store(0, Ordering::SeqCst);
    WAIT_QUEUE.wake_all();
}

/// Whether anybody holds the lock: `dma_resv_is_locked()`.
///
/// # Safety
///
/// `obj` points to an initialised reservation object.
pub unsafe fn dma_resv_is_locked(obj: *mut dma_resv) -> bool {
    // SAFETY: The caller promises an initialised reservation object.
    unsafe { &*obj }.owner.load(Ordering::Relaxed) != 0
}

/// Reports when this thread does not hold the lock: `dma_resv_assert_held()`. `whose` names the
/// caller and the object.
///
/// # Safety
///
/// `obj` points to an initialised reservation object.
#[track_caller]
pub(crate) unsafe fn dma_resv_assert_held(obj: *mut dma_resv, whose: impl fmt::Display) {
    // SAFETY: The caller promises an initialised reservation object.
    if !unsafe { &*obj }.is_held() {
        warn(format!(
            "{whose}: the reservation lock is not held by this thread"
        ));
    }
}

/// The end of a reservation object: `dma_resv_fini()`. One that is locked is a loud failure.
///
/// # Safety
///
/// `obj` points to an initialised reservation object, which is not used after this.
#[track_caller]
pub(crate) unsafe fn dma_resv_fini(obj: *mut dma_resv, whose: impl fmt::Display) {
    // SAFETY: `obj` points to an initialised reservation object.
    let resv = unsafe { &*obj };

    // SAFETY: `obj` points to an initialised reservation object.
    if unsafe { dma_resv_is_locked(obj) } {
        if resv.is_held() {
            // The thread cannot unlock it any more.
            resv.dep_map().release();
        }
        warn(format!("held lock freed: reservation lock of {whose}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bindings::collect_warnings, signal::Task};
    use core::ptr;
    use std::{
        sync::{mpsc, Arc},
        thread,
    };

    fn raw(resv: &dma_resv) -> *mut dma_resv {
        ptr::from_ref(resv).cast_mut()
    }

    fn lock(resv: &dma_resv) -> c_int {
        // SAFETY: Tests keep the object alive.
        unsafe { dma_resv_lock(raw(resv), ptr::null_mut()) }
    }

    fn unlock(resv: &dma_resv) {
        // SAFETY: Tests keep the object alive.
        unsafe { dma_resv_unlock(raw(resv)) };
    }

    fn assert_held(resv: &dma_resv) {
        // SAFETY: Tests keep the object alive.
        unsafe { dma_resv_assert_held(raw(resv), "test") };
    }

    #[test]
    fn excludes_other_threads() {
        const ROUNDS: u64 = 10_000;
        let resv = Arc::new(dma_resv::new());
        let counter = Arc::new(AtomicU64::new(0));

        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (resv, counter) = (resv.clone(), counter.clone());
                thread::spawn(move || {
                    for _ in 0..ROUNDS {
                        assert_eq!(lock(&resv), 0);
                        assert_held(&resv);
                        // Loses counts unless the lock excludes.
                        let seen = counter.load(Ordering::Relaxed);
                        counter.store(seen + 1, Ordering::Relaxed);
                        unlock(&resv);
                    }
                })
            })
            .collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());

        assert_eq!(counter.load(Ordering::Relaxed), 4 * ROUNDS);
    }

    #[test]
    #[should_panic(expected = "possible recursive locking detected")]
    fn locking_twice_is_loud() {
        let resv = dma_resv::new();
        lock(&resv);
        lock(&resv);
    }

    #[test]
    fn locking_twice_fails_when_collected() {
        let resv = dma_resv::new();
        lock(&resv);
        let (ret, warnings) = collect_warnings(|| lock(&resv));

        assert_eq!(ret, code::EDEADLK.to_errno());
        assert_eq!(warnings.len(), 1);
        unlock(&resv);
        assert_eq!(lock(&resv), 0);
    }

    #[test]
    #[should_panic(expected = "bad unlock balance detected")]
    fn unlocking_what_is_unlocked_is_loud() {
        unlock(&dma_resv::new());
    }

    #[test]
    fn unlocking_for_another_thread_is_loud() {
        let resv = dma_resv::new();
        lock(&resv);

        thread::scope(|scope| {
            scope.spawn(|| {
                let ((), warnings) = collect_warnings(|| {
                    unlock(&resv);
                    assert_held(&resv);
                });
                assert_eq!(warnings.len(), 2);
            });
        });

        // Still held.
        assert_held(&resv);
        unlock(&resv);
    }

    #[test]
    fn a_signal_ends_an_interruptible_wait() {
        let resv = dma_resv::new();
        // SAFETY: The object is alive.
        let lock_interruptible =
            || unsafe { dma_resv_lock_interruptible(raw(&resv), ptr::null_mut()) };

        lock(&resv);
        thread::scope(|scope| {
            let (task, tasks) = mpsc::channel();
            let waiting = scope.spawn(move || {
                task.send(Task::current()).unwrap();
                let interrupted = lock_interruptible();
                // It stays pending.
                let again = lock_interruptible();
                Task::flush_signals();
                (interrupted, again)
            });
            // Whether it sleeps by then or not.
            tasks.recv().unwrap().send_signal();
            let eintr = code::EINTR.to_errno();
            assert_eq!(waiting.join().unwrap(), (eintr, eintr));
        });
        unlock(&resv);

        // A thread that does not have to wait, or must not be interrupted, does not look for
        // signals.
        Task::current().send_signal();
        assert_eq!(lock_interruptible(), 0);
        unlock(&resv);
        thread::scope(|scope| {
            assert_eq!(lock(&resv), 0);
            let (task, tasks) = mpsc::channel();
            let resv = &resv;
            let waiting = scope.spawn(move || {
                Task::current().send_signal();
                task.send(()).unwrap();
                let ret = lock(resv);
                unlock(resv);
                ret
            });
            tasks.recv().unwrap();
            unlock(resv);
            assert_eq!(waiting.join().unwrap(), 0);
        });
        Task::flush_signals();
    }

    #[test]
    fn freeing_a_held_lock_is_loud() {
        let resv = dma_resv::new();
        // SAFETY: The object is alive.
        let fini = || unsafe { dma_resv_fini(raw(&resv), "test") };

        fini();
        lock(&resv);
        let ((), warnings) = collect_warnings(fini);
        assert_eq!(warnings, ["held lock freed: reservation lock of test"]);
    }

    #[test]
    fn another_object_without_a_context_is_reported() {
        let (one, two) = (dma_resv::new(), dma_resv::new());
        lock(&one);
        let (ret, warnings) = collect_warnings(|| lock(&two));

        // The lock is taken all the same.
        assert_eq!(ret, 0);
        assert_held(&two);
        assert_eq!(warnings.len(), 1);
        assert!(
            warnings[0].starts_with("possible recursive locking detected"),
            "{warnings:?}"
        );
        assert!(warnings[0].contains("`reservation_ww_class_mutex`"));
        unlock(&one);
        unlock(&two);

        // One after the other is fine.
        assert_eq!(lock(&two), 0);
        unlock(&two);
    }

    #[test]
    fn a_freed_lock_is_not_held() {
        let (one, two) = (dma_resv::new(), dma_resv::new());
        lock(&one);
        // SAFETY: The object is alive.
        let ((), warnings) = collect_warnings(|| unsafe { dma_resv_fini(raw(&one), "test") });
        assert_eq!(warnings.len(), 1);

        assert_eq!(lock(&two), 0);
        unlock(&two);
    }
}
