// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The spinlock, as in `include/linux/spinlock.h`. Uses `fault` and `lockdep`.
//!
//! A thread that holds one is in atomic context, and must not sleep. A thread that waits for one
//! sleeps here, and does not count as sleeping.

use super::lock_class_key;
use crate::{fault, raw_lock::RawLock, str::CStr};
use core::ffi::{c_char, c_int};

/// `spinlock_t`.
pub struct spinlock_t(RawLock<true>);

/// Initialises a spinlock of the class `key`, unlocked: `__spin_lock_init()`.
///
/// # Panics
///
/// If `key` was used with another name before.
///
/// # Safety
///
/// `lock` must be valid for a write. `name` and `key` must stay valid.
#[track_caller]
pub unsafe fn __spin_lock_init(
    lock: *mut spinlock_t,
    name: *const c_char,
    key: *mut lock_class_key,
) {
    // SAFETY: By the safety requirements it is a C string that stays valid.
    let name = unsafe { CStr::from_ptr(name) };
    // SAFETY: By the safety requirements it stays valid, and it is changed by its own lock.
    let key = unsafe { &*key };
    let new = spinlock_t(RawLock::new(key.register(name)));

    // SAFETY: The caller promises that `lock` is valid for a write.
    unsafe { lock.write(new) };
}

/// Ends a spinlock before its memory is freed. C has no function for this.
///
/// # Panics
///
/// If the current thread holds it.
///
/// # Safety
///
/// `lock` must be initialised, and is not any more after this.
pub(crate) unsafe fn spin_lock_destroy(lock: *mut spinlock_t) {
    // SAFETY: The caller promises that `lock` is initialised, and is not used as a lock after this.
    unsafe { lock.drop_in_place() };
}

/// Locks a spinlock, and waits until it can: `spin_lock()`. The thread is in atomic context then.
///
/// # Panics
///
/// If the thread holds the spinlock, or as `lockdep` does. It is not locked then.
///
/// # Safety
///
/// `lock` must be initialised.
#[inline]
#[track_caller]
pub unsafe fn spin_lock(lock: *mut spinlock_t) {
    // SAFETY: The caller promises that `lock` is initialised.
    unsafe { &*lock }.0.lock();
    fault::preempt_disable();
}

/// Locks a spinlock again that the thread has unlocked in order to wait.
///
/// # Safety
///
/// `lock` must be initialised.
#[inline]
#[track_caller]
pub(crate) unsafe fn spin_relock(lock: *mut spinlock_t) {
    // SAFETY: The caller promises that `lock` is initialised.
    unsafe { &*lock }.0.relock();
    fault::preempt_disable();
}

/// Checks whether a thread may unlock a spinlock in order to wait, and lock it again.
///
/// # Panics
///
/// As `lockdep` does. The spinlock stays locked.
///
/// # Safety
///
/// `lock` must be initialised.
#[track_caller]
pub(crate) unsafe fn spin_check_relock(lock: *mut spinlock_t) {
    // SAFETY: The caller promises that `lock` is initialised.
    unsafe { &*lock }.0.check();
}

/// Locks a spinlock if nobody holds it, and returns 1 if it did, and 0 otherwise: `spin_trylock()`.
///
/// # Safety
///
/// `lock` must be initialised.
#[inline]
#[track_caller]
pub unsafe fn spin_trylock(lock: *mut spinlock_t) -> c_int {
    // SAFETY: The caller promises that `lock` is initialised.
    let locked = unsafe { &*lock }.0.try_lock();
    if locked {
        fault::preempt_disable();
    }
    locked.into()
}

/// Unlocks a spinlock: `spin_unlock()`.
///
/// # Safety
///
/// `lock` must be initialised, and the current thread must hold it.
#[inline]
pub unsafe fn spin_unlock(lock: *mut spinlock_t) {
    // SAFETY: The caller promises that `lock` is initialised.
    let lock = unsafe { &*lock };

    // SAFETY: The caller promises that the current thread holds the lock.
    unsafe { lock.0.unlock() };
    fault::preempt_enable();
}

/// Reports a thread that does not hold a spinlock: `lockdep_assert_held()`.
///
/// # Safety
///
/// `lock` must be initialised.
#[inline]
#[track_caller]
pub unsafe fn spin_assert_is_held(lock: *mut spinlock_t) {
    // SAFETY: The caller promises that `lock` is initialised.
    unsafe { &*lock }.0.assert_is_held();
}
