// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The protocol's interface to the system.

use super::table::Table;
use crate::{
    device::{Bound, Device},
    prelude::*,
    sync::{
        atomic::{Acquire, Atomic, Full},
        barrier::smp_mb,
    },
};
use pin_init::InPlaceInit;
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    num::NonZero,
};

/// The number of buckets of the table of registries: all devices share one bucket.
pub(super) const BUCKETS: usize = 1;

/// The number of slots that unbind marks before it releases the lock for a moment.
pub(super) const MARKED_AT_ONCE: usize = 1;

loom::lazy_static! {
    static ref TABLE: Pin<Box<Table>> = Box::pin_init(Table::new()).unwrap();
}

/// Returns the table of registries.
pub(super) fn table() -> Result<&'static Table> {
    Ok(TABLE.as_ref().get_ref())
}

/// Does nothing: every thread may sleep here.
pub(super) fn might_sleep() {}

/// Returns whether unbind is still to release a resource that is added now.
pub(super) fn is_bound(dev: &Device<Bound>) -> bool {
    dev.is_bound()
}

/// Returns a number of the current thread that no other thread has.
pub(super) fn current_task() -> NonZero<usize> {
    let mut hasher = DefaultHasher::new();
    loom::thread::current().id().hash(&mut hasher);

    NonZero::new(hasher.finish() as usize).unwrap()
}

/// Returns whether a word has this value, by an acquire load.
pub(super) fn is_acquired<T>(word: &Atomic<*mut T>, value: *mut T) -> bool {
    word.load(Acquire) == value
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
/// - `slot` is not used if this fails, and does not move if this succeeds.
pub(super) unsafe fn init_in_place<T, E>(slot: *mut T, init: impl PinInit<T, E>) -> Result<(), E> {
    // SAFETY: By the safety requirements `slot` is valid for writes, is not used after an error,
    // and does not move.
    unsafe { init.__pinned_init(slot) }
}
