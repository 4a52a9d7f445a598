// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The devres node of a registry: how a device's list has it.
//!
//! One source for the host and the kernel, under the same rule as the slot. The functions that C
//! code calls are in `sys`, since their ABI differs, and call the ones below.
//!
//! C header: [`include/linux/device/devres.h`](srctree/include/linux/device/devres.h)

use super::{
    registry::Registry,
    sys,
    unwind, //
};
use crate::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    prelude::*,
    sync::Arc, //
};
use core::{
    mem::ManuallyDrop,
    ptr, //
};

/// The data of the node: a reference to the registry.
type Data = *const Registry;

/// Returns the registry on a device's list.
pub(super) fn find(dev: &Device<Bound>) -> Option<Arc<Registry>> {
    let mut found: Option<Arc<Registry>> = None;

    // SAFETY: `dev` is valid, and `sys::take()` is for these resources and this data. It runs with
    // the lock of the list held, so that the registry it finds is not released meanwhile.
    unsafe {
        bindings::devres_find(
            dev.as_raw(),
            Some(sys::release),
            Some(sys::take),
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
    // SAFETY: `sys::release()` is for the data that is written below.
    let data = unsafe {
        bindings::__devres_alloc_node(
            Some(sys::release),
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
    // SAFETY: `dev` is valid, `data` was just allocated, and `sys::take()` is for these resources.
    unsafe {
        bindings::devres_get(dev.as_raw(), data, Some(sys::take), (&raw mut found).cast());
    }
    if found.is_some() {
        // SAFETY: Another thread was faster: `devres_get()` has freed the node, which had this
        // reference.
        drop(unsafe { Arc::from_raw(ours) });
    }

    Ok(found.unwrap_or(registry))
}

/// Takes a registry off a device's list, if it is there, and releases it now.
pub(super) fn withdraw(dev: &Device<Bound>, registry: &Registry) {
    // SAFETY: `dev` is valid, and `sys::is_same()` is for these resources and this data, which it
    // does not dereference.
    unsafe {
        bindings::devres_release(
            dev.as_raw(),
            Some(sys::release),
            Some(sys::is_same),
            ptr::from_ref(registry).cast_mut().cast(),
        )
    };
}

/// Takes a reference to the registry of a node, for the thread that looks for it.
///
/// # Safety
///
/// `res` is the data of a node that [`add()`] has made, on a locked list, and `found` points to an
/// `Option<Arc<Registry>>`.
pub(crate) unsafe fn take(res: *mut c_void, found: *mut c_void) -> c_int {
    // SAFETY: `add()` has written it.
    let registry = unsafe { res.cast::<Data>().read() };

    // SAFETY: The list owns a reference, which is not dropped here.
    let registry = ManuallyDrop::new(unsafe { Arc::from_raw(registry) });

    // SAFETY: By the safety requirement `found` points to an `Option<Arc<Registry>>`.
    unsafe { *found.cast::<Option<Arc<Registry>>>() = Some(Arc::clone(&registry)) };
    1
}

/// Returns whether this is the node of the given registry.
///
/// # Safety
///
/// `res` is the data of a node that [`add()`] has made.
pub(crate) unsafe fn is_same(res: *mut c_void, registry: *mut c_void) -> c_int {
    // SAFETY: `add()` has written it.
    let of = unsafe { res.cast::<Data>().read() };

    (of == registry.cast_const().cast()).into()
}

/// Releases the registry of a node, as the device is being unbound.
///
/// # Safety
///
/// `res` is the data of a node that [`add()`] has made, and gives up its reference.
pub(crate) unsafe fn release(res: *mut c_void) {
    // SAFETY: `add()` has written it.
    let registry = unsafe { res.cast::<Data>().read() };

    // SAFETY: The reference of the list, which has given it up.
    let registry = unsafe { Arc::from_raw(registry) };

    unwind::to_the_end(|| registry.release());
}
