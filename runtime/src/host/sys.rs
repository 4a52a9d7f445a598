// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The functions of the system that the protocol needs.
//!
//! The kernel's file of this name does the same. They are two, as functions that C code calls have
//! the ABI `C-unwind` here (see [`bindings`]), the published pin-init has other names, and a task is
//! a thread.

use crate::{
    bindings,
    device::{Bound, Device},
    fault,
    prelude::*,
    protocol::{devres_node, table::Table},
    sync::atomic::{Acquire, Atomic},
};
use core::{
    num::NonZero,
    sync::atomic::{fence, Ordering},
};
use std::sync::LazyLock;

/// The number of buckets of the table of registries.
pub(crate) const BUCKETS: usize = 64;

/// The number of slots that unbind marks before it releases the lock for a moment.
pub(crate) const MARKED_AT_ONCE: usize = 64;

/// Returns the table of registries.
///
/// It is none of the allocations that a test counts, or has fail.
#[allow(clippy::unnecessary_wraps, reason = "the kernel's may fail")]
pub(crate) fn table() -> Result<&'static Table> {
    static TABLE: LazyLock<Pin<Box<Table>>> = LazyLock::new(|| {
        let table = <Box<Table> as pin_init::InPlaceInit<Table>>::pin_init(Table::new());
        table.expect("there is memory for the table")
    });

    Ok(&TABLE)
}

/// Reports a caller that must not sleep.
#[inline]
#[track_caller]
pub(crate) fn might_sleep() {
    fault::might_sleep("devres::Lazy");
}

/// Returns whether unbind is still to release a resource that is added now.
///
/// The driver core sets the state before it collects the nodes to release.
pub(crate) fn is_bound(dev: &Device<Bound>) -> bool {
    // SAFETY: `dev` is valid.
    let dev = unsafe { &*dev.as_raw() };

    matches!(
        dev.links.status.load(Ordering::Relaxed),
        bindings::dl_dev_state_DL_DEV_PROBING | bindings::dl_dev_state_DL_DEV_DRIVER_BOUND
    )
}

/// Returns a number of the current thread that no other thread has while this one runs.
pub(crate) fn current_task() -> NonZero<usize> {
    NonZero::try_from(fault::current_task()).expect("the number of threads fits into `usize`")
}

/// Returns whether a word has this value. For a caller that gets `true`, this is an acquire load.
#[inline]
pub(crate) fn is_acquired<T>(word: &Atomic<*mut T>, value: *mut T) -> bool {
    word.load(Acquire) == value
}

/// Executes a full barrier behind a read-modify-write operation with [`Full`] ordering.
///
/// In the kernel, such an operation is a full barrier itself. Here it is not: a later load may pass
/// it.
///
/// [`Full`]: crate::sync::atomic::Full
#[inline]
pub(crate) fn smp_mb_after_full() {
    fence(Ordering::SeqCst);
}

/// Makes a value in place by an initialiser.
///
/// # Errors
///
/// The error of `init`; there is then no value.
///
/// # Safety
///
/// - `slot` is valid for writes.
/// - `slot` is not used if this fails, and does not move if this succeeds.
pub(crate) unsafe fn init_in_place<T, E>(slot: *mut T, init: impl PinInit<T, E>) -> Result<(), E> {
    // SAFETY: By the safety requirements `slot` is valid for writes, is not used after an error,
    // and does not move.
    unsafe { init.__pinned_init(slot) }
}

/// As [`devres_node::is_same()`].
///
/// # Safety
///
/// As [`devres_node::is_same()`].
pub(crate) unsafe extern "C-unwind" fn is_same(
    _dev: *mut bindings::device,
    res: *mut c_void,
    registry: *mut c_void,
) -> c_int {
    // SAFETY: The caller keeps to the requirements of this function, which are the same.
    unsafe { devres_node::is_same(res, registry) }
}

/// As [`devres_node::release()`].
///
/// # Safety
///
/// As [`devres_node::release()`].
pub(crate) unsafe extern "C-unwind" fn release(_dev: *mut bindings::device, res: *mut c_void) {
    // SAFETY: The caller keeps to the requirements of this function, which are the same.
    unsafe { devres_node::release(res) }
}
