// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the protocol needs of the system.

use crate::{
    device::{
        Bound,
        Device, //
    },
    prelude::*,
    sync::{
        atomic::Full,
        barrier::smp_mb, //
    },
};
use std::{
    hash::{
        DefaultHasher,
        Hash,
        Hasher, //
    },
    num::NonZero, //
};

/// Returns whether unbind is still to come to what is added now.
pub(super) fn is_bound(dev: &Device<Bound>) -> bool {
    dev.is_bound()
}

/// Returns a number of the current thread that no other thread has.
pub(super) fn current_task() -> NonZero<usize> {
    let mut hasher = DefaultHasher::new();
    loom::thread::current().id().hash(&mut hasher);

    NonZero::new(hasher.finish() as usize).unwrap()
}

/// Executes a full barrier.
pub(super) fn smp_mb_after_full() {
    smp_mb(Full);
}

/// Makes a value in place by an initialiser.
///
/// # Safety
///
/// - `slot` is valid for writes.
/// - Nobody uses it if this fails, and it does not move if it does not.
pub(super) unsafe fn init_in_place<T, E>(slot: *mut T, init: impl PinInit<T, E>) -> Result<(), E> {
    // SAFETY: By the safety requirements.
    unsafe { init.__pinned_init(slot) }
}
