// SPDX-License-Identifier: GPL-2.0

//! What the slots of `devres::Lazy` need of the system: a devres node for the registry of a device.
//!
//! The registry itself is shared with the host and the model checker, which have their own of this
//! file.
//!
//! C header: [`include/linux/device/devres.h`](srctree/include/linux/device/devres.h)

use super::registry::Registry;
use crate::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    prelude::*,
    sync::Arc,
    task::Task, //
};
use core::{
    mem::ManuallyDrop,
    num::NonZero,
    ptr::{
        self,
        NonNull, //
    },
};

/// The data of the node: a reference to the registry.
type Data = *const Registry;

/// Returns the registry on a device's list.
pub(super) fn find(dev: &Device<Bound>) -> Option<Arc<Registry>> {
    let mut found: Option<Arc<Registry>> = None;

    // SAFETY: `dev` is valid, and `take()` is for these resources and this data. It runs with the
    // lock of the list held, so that the registry it finds is not released meanwhile.
    unsafe {
        bindings::devres_find(
            dev.as_raw(),
            Some(release),
            Some(take),
            (&raw mut found).cast(),
        )
    };

    found
}

/// Adds a registry to a device's list, unless there is one; returns the one that is there.
///
/// # Errors
///
/// `ENOMEM` if there is no memory.
pub(super) fn add(dev: &Device<Bound>, registry: Arc<Registry>) -> Result<Arc<Registry>> {
    // SAFETY: `release()` is for the data that is written below.
    let data = unsafe {
        bindings::__devres_alloc_node(
            Some(release),
            size_of::<Data>(),
            GFP_KERNEL.as_raw(),
            bindings::NUMA_NO_NODE,
            c"devres::Registry".as_char_ptr(),
        )
    };
    if data.is_null() {
        return Err(ENOMEM);
    }

    // The list's own reference.
    let ours = Arc::into_raw(registry.clone());
    // SAFETY: It was allocated for this.
    unsafe { data.cast::<Data>().write(ours) };

    let mut found: Option<Arc<Registry>> = None;
    // SAFETY: `dev` is valid, `data` was just allocated, and `take()` is for these resources.
    unsafe {
        bindings::devres_get(dev.as_raw(), data, Some(take), (&raw mut found).cast());
    }
    if found.is_some() {
        // SAFETY: Somebody else was faster: `devres_get()` has freed the node, which had this
        // reference.
        drop(unsafe { Arc::from_raw(ours) });
    }

    Ok(found.unwrap_or(registry))
}

/// Takes a registry off a device's list, if it is there, and releases it now.
pub(super) fn withdraw(dev: &Device<Bound>, registry: &Registry) {
    // SAFETY: `dev` is valid, and `is_same()` is for these resources and this data, which it does
    // not dereference.
    unsafe {
        bindings::devres_release(
            dev.as_raw(),
            Some(release),
            Some(is_same),
            ptr::from_ref(registry).cast_mut().cast(),
        )
    };
}

/// Is unbind still to come to what is added now?
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

/// Has an initialiser make a value in place.
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
    // SAFETY: By the safety requirements.
    unsafe { init.__init(slot) }
}

/// Runs `f`. A panic does not unwind in the kernel; on the host it waits until `f` has ended.
#[inline]
pub(super) fn to_the_end<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// Runs `f`. On the host, a panic waits for [`resume()`].
#[inline]
pub(super) fn postponed(_slot: NonZero<usize>, f: impl FnOnce()) {
    f();
}

/// Does nothing. On the host, a panic that [`postponed()`] has kept goes on here.
#[inline]
pub(super) fn resume(_slot: NonZero<usize>) {}

/// Runs `f`, which drops the resource of `slot`. On the host, a panic does not leave it.
#[inline]
pub(super) fn contained(_slot: NonZero<usize>, f: impl FnOnce()) {
    f();
}

/// Does nothing. The host reports a thread that waits for a resource that it drops itself.
#[inline]
pub(super) fn before_waiting_for(_slot: NonZero<usize>) {}

/// Takes a reference to the registry of a node, for who looks for it.
///
/// # Safety
///
/// `res` is the data of a node that [`add()`] has made, on a locked list, and `found` points to an
/// `Option<Arc<Registry>>`.
unsafe extern "C" fn take(
    _dev: *mut bindings::device,
    res: *mut c_void,
    found: *mut c_void,
) -> c_int {
    // SAFETY: `add()` has written it.
    let registry = unsafe { res.cast::<Data>().read() };

    // SAFETY: The list owns a reference, which is not dropped here.
    let registry = ManuallyDrop::new(unsafe { Arc::from_raw(registry) });

    // SAFETY: By the safety requirement.
    unsafe { *found.cast::<Option<Arc<Registry>>>() = Some(Arc::clone(&registry)) };
    1
}

/// Is this the node of the given registry?
///
/// # Safety
///
/// `res` is the data of a node that [`add()`] has made.
unsafe extern "C" fn is_same(
    _dev: *mut bindings::device,
    res: *mut c_void,
    registry: *mut c_void,
) -> c_int {
    // SAFETY: `add()` has written it.
    let of = unsafe { res.cast::<Data>().read() };

    (of == registry.cast_const().cast()).into()
}

/// The device is being unbound.
///
/// # Safety
///
/// `res` is the data of a node that [`add()`] has made, and gives up its reference.
unsafe extern "C" fn release(_dev: *mut bindings::device, res: *mut c_void) {
    // SAFETY: `add()` has written it.
    let registry = unsafe { res.cast::<Data>().read() };

    // SAFETY: The reference of the list, which has given it up.
    let registry = unsafe { Arc::from_raw(registry) };

    registry.release();
}
