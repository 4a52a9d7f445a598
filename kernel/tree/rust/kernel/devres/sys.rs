// SPDX-License-Identifier: GPL-2.0

//! The interface of the slots of `devres::Lazy` to the system.
//!
//! The rest is shared with the host and the model checker, which have their own of this file.

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

/// How many buckets the table of registries has. Few devices have a registry at a time.
pub(super) const BUCKETS: usize = 64;

/// How many slots unbind marks before it releases the lock in between.
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

    // SAFETY: It is initialised, and never freed.
    Ok(unsafe { &*table })
}

/// Allocates the table, unless another thread is faster.
#[cold]
fn make_table(table: &Atomic<*mut Table>) -> Result<*mut Table> {
    let new = KBox::pin_init(Table::new(), GFP_KERNEL)?;
    // SAFETY: It stays where it is.
    let new = KBox::into_raw(unsafe { Pin::into_inner_unchecked(new) });

    match table.cmpxchg(ptr::null_mut(), new, Full) {
        Ok(_) => Ok(new),
        Err(there) => {
            // SAFETY: It comes from `into_raw()`, and nobody else has seen it.
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

/// Returns whether unbind is still to come to what is added now.
///
/// The driver core changes the status before it collects what it releases, which it does with the
/// lock of the list held: `device_links_busy()` changes it before the device's consumers are
/// unbound, and its own driver's `remove()` is called, and `device_links_no_driver()` if probing
/// failed. So from the first of these on this says no, although the release is still to come.
pub(super) fn is_bound(dev: &Device<Bound>) -> bool {
    // SAFETY: `dev` is valid.
    let status = unsafe { &raw const (*dev.as_raw()).links.status };

    // This stands for `READ_ONCE()`: C code stores to the status plainly, with a lock of its own
    // held. The order of the two comes from the lock of the list, as said above.
    // SAFETY: It is valid and aligned, and one word, which is not torn.
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

/// Returns whether a word has this value. A caller that gets `true` may then use what is shared by
/// a store with [`Release`](crate::sync::atomic::Release) of this value.
///
/// [`Atomic::load()`] is a call, unless helpers are inlined, and a fast path saves in registers
/// what it needs after a call. This needs less after its call, as the comparison comes first.
#[inline]
pub(super) fn is_acquired<T>(word: &Atomic<*mut T>, value: *mut T) -> bool
where
    *mut T: AtomicType,
{
    // This stands for `READ_ONCE()`.
    // SAFETY: It is valid and aligned, and one word, which is not torn.
    if unsafe { word.as_ptr().read_volatile() } != value {
        return false;
    }

    // ORDERING: The barrier orders what the caller loads next. The branch above orders what it
    // stores: through a shared reference that is by a marked access, or with a lock held that the
    // caller has to load first.
    smp_mb(Read);
    true
}

/// Executes a full barrier behind a read-modify-write operation with [`Full`] ordering, which is
/// one itself.
///
/// [`Full`]: crate::sync::atomic::Full
#[inline]
pub(super) fn smp_mb_after_full() {}

/// Makes a value in place by an initialiser.
///
/// # Errors
///
/// What `init` fails with; there is then no value.
///
/// # Safety
///
/// - `slot` is valid for writes.
/// - Nobody uses it if this fails, and it does not move if it does not.
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
