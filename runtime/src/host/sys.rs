// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the protocol needs of the system: a devres node for the registry of a device.
//!
//! The kernel's file of this name does the same. They are two, as functions that C code calls have
//! the ABI `C-unwind` here (see [`bindings`]), and the published pin-init has other names.

use crate::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    fault,
    prelude::*,
    protocol::registry::Registry,
    sync::Arc,
};
use core::{
    mem::ManuallyDrop,
    num::NonZero,
    ptr,
    sync::atomic::Ordering, //
};

pub(crate) use super::unwind::{
    before_waiting_for,
    contained,
    postponed,
    resume,
    to_the_end, //
};

/// The data of the node: a reference to the registry.
type Data = *const Registry;

/// Returns the registry on a device's list.
pub(crate) fn find(dev: &Device<Bound>) -> Option<Arc<Registry>> {
    let mut found = None;

    // SAFETY: `dev` is valid, and `take()` made for these resources and this data.
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
pub(crate) fn add(dev: &Device<Bound>, registry: Arc<Registry>) -> Result<Arc<Registry>> {
    // SAFETY: A registry can be released on any thread.
    let data = unsafe {
        bindings::__devres_alloc_node(
            Some(release),
            size_of::<Data>(),
            0,
            bindings::NUMA_NO_NODE,
            c"devres::Registry".as_ptr(),
        )
    };
    if data.is_null() {
        return Err(ENOMEM);
    }

    // The list's own reference.
    let ours = registry.clone().into_raw();
    // SAFETY: It was allocated for this.
    unsafe { data.cast::<Data>().write(ours) };

    let mut found = None;
    // SAFETY: `dev` is valid, `data` was just allocated, and `take()` made for these resources.
    unsafe {
        bindings::devres_get(dev.as_raw(), data, Some(take), (&raw mut found).cast());
    }
    if found.is_some() {
        // SAFETY: Somebody else was faster, and the node is gone without this reference.
        drop(unsafe { Arc::from_raw(ours) });
    }

    Ok(found.unwrap_or(registry))
}

/// Takes a registry off a device's list, if it is there, and releases it now.
pub(crate) fn withdraw(dev: &Device<Bound>, registry: &Registry) {
    // SAFETY: `dev` is valid, and `is_same()` made for these resources and this data, which it does
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
/// The driver core sets the state before it collects what it releases.
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
pub(crate) unsafe fn init_in_place<T, E>(slot: *mut T, init: impl PinInit<T, E>) -> Result<(), E> {
    // SAFETY: By the safety requirements.
    unsafe { init.__pinned_init(slot) }
}

/// Takes a reference to the registry of a node, for who looks for it.
///
/// # Safety
///
/// `res` is the data of a node that [`add()`] has made, on a locked list, and `found` points to an
/// `Option<Arc<Registry>>`.
unsafe extern "C-unwind" fn take(
    _dev: *mut bindings::device,
    res: *mut c_void,
    found: *mut c_void,
) -> c_int {
    // SAFETY: `add()` has written it.
    let registry = unsafe { res.cast::<Data>().read() };

    // SAFETY: The list, which is locked, owns a reference; it is not dropped here.
    let registry = ManuallyDrop::new(unsafe { Arc::from_raw(registry) });

    // SAFETY: Callers pass an `Option<Arc<Registry>>`.
    unsafe { *found.cast::<Option<Arc<Registry>>>() = Some(Arc::clone(&registry)) };
    1
}

/// Is this the node of the given registry?
///
/// # Safety
///
/// `res` is the data of a node that [`add()`] has made.
unsafe extern "C-unwind" fn is_same(
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
/// If dropping a resource panics, the others are dropped in their order, and then the panic goes
/// on.
///
/// # Safety
///
/// `res` is the data of a node that [`add()`] has made, and gives up its reference.
unsafe extern "C-unwind" fn release(_dev: *mut bindings::device, res: *mut c_void) {
    // SAFETY: `add()` has written it.
    let registry = unsafe { res.cast::<Data>().read() };

    // SAFETY: The list's own reference, which it gives up.
    let registry = unsafe { Arc::from_raw(registry) };

    to_the_end(|| registry.release());
}
