// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The mutex, as in `include/linux/mutex.h`. Uses `fault` and `lockdep`.

use super::lock_class_key;
use crate::{fault, raw_lock::RawLock, str::CStr};
use core::ffi::{c_char, c_int};

/// `struct mutex`.
pub struct mutex(RawLock<false>);

/// Initialises a mutex of the class `key`, unlocked: `__mutex_init()`.
///
/// # Panics
///
/// If `key` was used with another name before.
///
/// # Safety
///
/// `lock` must be valid for a write. `name` and `key` must stay valid.
#[track_caller]
pub unsafe fn __mutex_init(lock: *mut mutex, name: *const c_char, key: *mut lock_class_key) {
    // SAFETY: By the safety requirements it is a C string that stays valid.
    let name = unsafe { CStr::from_ptr(name) };
    // SAFETY: By the safety requirements it stays valid, and it is changed by its own lock.
    let key = unsafe { &*key };
    let new = mutex(RawLock::new(key.register(name)));

    // SAFETY: The caller promises that `lock` is valid for a write.
    unsafe { lock.write(new) };
}

/// Ends a mutex before its memory is freed: `mutex_destroy()`.
///
/// # Panics
///
/// If the current thread holds it.
///
/// # Safety
///
/// `lock` must be initialised, and is not any more after this.
pub unsafe fn mutex_destroy(lock: *mut mutex) {
    // SAFETY: The caller promises that `lock` is initialised, and is not used as a lock after this.
    unsafe { lock.drop_in_place() };
}

/// Locks a mutex, and sleeps until it can: `mutex_lock()`.
///
/// # Panics
///
/// If the thread may not sleep, or holds the mutex, or as `lockdep` does. It is not locked then.
///
/// # Safety
///
/// `lock` must be initialised.
#[inline]
#[track_caller]
pub unsafe fn mutex_lock(lock: *mut mutex) {
    fault::might_sleep("mutex_lock");

    // SAFETY: The caller promises that `lock` is initialised.
    unsafe { &*lock }.0.lock();
}

/// Locks a mutex again that the thread has unlocked in order to wait.
///
/// # Safety
///
/// `lock` must be initialised.
#[inline]
#[track_caller]
pub(crate) unsafe fn mutex_relock(lock: *mut mutex) {
    // SAFETY: The caller promises that `lock` is initialised.
    unsafe { &*lock }.0.relock();
}

/// Checks whether a thread may unlock a mutex in order to wait, and lock it again.
///
/// # Panics
///
/// As `lockdep` does. The mutex stays locked.
///
/// # Safety
///
/// `lock` must be initialised.
#[track_caller]
pub(crate) unsafe fn mutex_check_relock(lock: *mut mutex) {
    // SAFETY: The caller promises that `lock` is initialised.
    unsafe { &*lock }.0.check();
}

/// Locks a mutex if nobody holds it, and returns 1 if it did, and 0 otherwise: `mutex_trylock()`.
///
/// # Safety
///
/// `lock` must be initialised.
#[inline]
#[track_caller]
pub unsafe fn mutex_trylock(lock: *mut mutex) -> c_int {
    // SAFETY: The caller promises that `lock` is initialised.
    unsafe { &*lock }.0.try_lock().into()
}

/// Unlocks a mutex: `mutex_unlock()`.
///
/// # Safety
///
/// `lock` must be initialised, and the current thread must hold it.
#[inline]
pub unsafe fn mutex_unlock(lock: *mut mutex) {
    // SAFETY: The caller promises that `lock` is initialised.
    let lock = unsafe { &*lock };

    // SAFETY: The caller promises that the current thread holds the lock.
    unsafe { lock.0.unlock() };
}

/// Reports a thread that does not hold a mutex: `lockdep_assert_held()`.
///
/// # Safety
///
/// `lock` must be initialised.
#[inline]
#[track_caller]
pub unsafe fn mutex_assert_is_held(lock: *mut mutex) {
    // SAFETY: The caller promises that `lock` is initialised.
    unsafe { &*lock }.0.assert_is_held();
}
