// SPDX-License-Identifier: GPL-2.0

//! Lockdep's state, for the KUnit suites of device-bound resources.
//!
//! The suites also run on the host, which has its own version of this file.

// Some functions are for the suites of DRM objects only.
#![cfg_attr(not(CONFIG_RUST_DRM_GEM_SHMEM_HELPER), allow(dead_code))]

use crate::{
    bindings,
    ffi::c_char, //
};

/// Whether lockdep reports nothing more after its first report.
pub(crate) const GIVES_UP: bool = true;

/// Returns whether the kernel has lockdep, and lockdep has not turned itself off.
pub(crate) fn lockdep_is_on() -> bool {
    #[cfg(CONFIG_LOCKDEP)]
    {
        // SAFETY: The variable is only ever read and written whole.
        unsafe { (&raw const bindings::debug_locks).read_volatile() != 0 }
    }

    #[cfg(not(CONFIG_LOCKDEP))]
    false
}

/// The two addresses by which lockdep tells lock classes from each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LockClass {
    key: *mut bindings::lock_class_key,
    name: *const c_char,
}

/// Returns the class of the lock that this thread took last and still holds. [`None`] if lockdep is
/// not on.
pub(crate) fn last_class() -> Option<LockClass> {
    #[cfg(CONFIG_LOCKDEP)]
    {
        let current = crate::task::Task::current_raw();

        // SAFETY: `current` is valid, and only this thread changes its list of held locks.
        let depth = unsafe { (*current).lockdep_depth };
        let last = usize::try_from(depth).ok()?.checked_sub(1)?;

        // SAFETY: `current` is valid, and only this thread changes its list of held locks.
        let lock = unsafe { (*current).held_locks[last].instance };

        // SAFETY: The thread still holds the lock, so the lock is valid.
        let lock = unsafe { &*lock };

        Some(LockClass {
            key: lock.key,
            name: lock.name,
        })
    }

    #[cfg(not(CONFIG_LOCKDEP))]
    None
}
