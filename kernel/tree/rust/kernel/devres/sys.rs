// SPDX-License-Identifier: GPL-2.0

//! The functions of the system that the slots of `devres::Lazy` need.
//!
//! The other files of the slots are shared with the host and the model checker, which have their
//! own versions of this file.

use super::{
    devres_node,
    table::Table, //
};
use crate::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            AtomicType,
            Full, //
        },
        barrier::{
            smp_mb,
            Read, //
        },
    },
    task::{
        self,
        Task, //
    },
};
use core::{
    num::NonZero,
    ptr::{
        self,
        NonNull, //
    },
};

/// The number of buckets of the table of registries. Few devices have a registry at a time.
pub(super) const BUCKETS: usize = 64;

/// The number of slots that unbind marks before it releases the lock for a moment.
pub(super) const MARKED_AT_ONCE: usize = 64;

/// Returns the table of registries. The first caller allocates it.
///
/// # Errors
///
/// `ENOMEM` if there is no memory.
pub(super) fn table() -> Result<&'static Table> {
    static TABLE: Atomic<*mut Table> = Atomic::new(ptr::null_mut());

    // ORDERING: Pairs with the exchange in `make_table()`.
    let table = match TABLE.load(Acquire) {
        table if table.is_null() => make_table(&TABLE)?,
        table => table,
    };

    // SAFETY: The table is initialised, and never freed.
    Ok(unsafe { &*table })
}

/// Allocates the table, or returns another thread's table if that thread was faster.
#[cold]
fn make_table(table: &Atomic<*mut Table>) -> Result<*mut Table> {
    let new = KBox::pin_init(Table::new(), GFP_KERNEL)?;
    // SAFETY: The table is not moved.
    let new = KBox::into_raw(unsafe { Pin::into_inner_unchecked(new) });

    match table.cmpxchg(ptr::null_mut(), new, Full) {
        Ok(_) => Ok(new),
        Err(there) => {
            // SAFETY: `new` comes from `into_raw()`, and no other thread has seen it.
            drop(unsafe { KBox::from_raw(new) });
            Ok(there)
        }
    }
}

/// Reports a caller that must not sleep.
#[inline]
pub(super) fn might_sleep() {
    task::might_sleep();
}

/// Returns whether unbind is still to release a resource that is added now.
///
/// The driver core changes the status before it collects the nodes to release, with the lock of the
/// list held. `device_links_busy()` changes the status before the device's consumers are unbound
/// and its own driver's `remove()` is called, `device_links_no_driver()` if probing failed. From
/// the first change on this returns `false`, although the release is still to come.
pub(super) fn is_bound(dev: &Device<Bound>) -> bool {
    // SAFETY: `dev` is valid.
    let status = unsafe { &raw const (*dev.as_raw()).links.status };

    // Stands for `READ_ONCE()`: C code stores to the status plainly, with a lock of its own held.
    // The lock of the list orders that store and this load, as said above.
    // SAFETY: The status is valid and aligned, and a load of one word is not torn.
    let status = unsafe { status.read_volatile() };

    matches!(
        status,
        bindings::dl_dev_state_DL_DEV_PROBING | bindings::dl_dev_state_DL_DEV_DRIVER_BOUND
    )
}

/// Returns a number of the current thread that no other thread has while this one runs.
pub(super) fn current_task() -> NonZero<usize> {
    let task = NonNull::new(Task::current_raw());

    // There is always a current task.
    task.map_or(NonZero::<usize>::MIN, NonNull::addr)
}

/// Returns whether a word has this value. For a caller that gets `true`, this is an acquire load,
/// which pairs with a store of this value with [`Release`](crate::sync::atomic::Release).
///
/// [`Atomic::load()`] is a call, unless helpers are inlined, and a fast path saves the values in
/// registers that it needs after a call. The fast path needs fewer values after the call of this
/// function, as the comparison comes first.
#[inline]
pub(super) fn is_acquired<T>(word: &Atomic<*mut T>, value: *mut T) -> bool
where
    *mut T: AtomicType,
{
    // Stands for `READ_ONCE()`.
    // SAFETY: `word` is valid and aligned, and a load of one word is not torn.
    if unsafe { word.as_ptr().read_volatile() } != value {
        return false;
    }

    // ORDERING: The barrier orders the caller's later loads. The branch above orders its later
    // stores. Through a shared reference, a store is a marked access, or is done with a lock held
    // that the caller has to load first.
    smp_mb(Read);
    true
}

/// Executes a full barrier behind a read-modify-write operation with [`Full`] ordering. In the
/// kernel, such an operation is a full barrier itself.
///
/// [`Full`]: crate::sync::atomic::Full
#[inline]
pub(super) fn smp_mb_after_full() {}

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
pub(super) unsafe fn init_in_place<T, E>(slot: *mut T, init: impl PinInit<T, E>) -> Result<(), E> {
    // SAFETY: By the safety requirements `slot` is valid for writes, is not used after an error,
    // and does not move.
    unsafe { init.__init(slot) }
}

/// As [`devres_node::is_same()`].
///
/// # Safety
///
/// As [`devres_node::is_same()`].
pub(super) unsafe extern "C" fn is_same(
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
pub(super) unsafe extern "C" fn release(_dev: *mut bindings::device, res: *mut c_void) {
    // SAFETY: The caller keeps to the requirements of this function, which are the same.
    unsafe { devres_node::release(res) }
}
