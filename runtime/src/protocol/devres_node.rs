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

/// A node that is on no list yet. It has a reference to the registry.
pub(super) struct Node(*mut c_void);

impl Node {
    /// Allocates the node of a registry.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there is no memory.
    pub(super) fn new(registry: Arc<Registry>) -> Result<Self> {
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

        // SAFETY: It was allocated for this.
        unsafe { data.cast::<Data>().write(Arc::into_raw(registry)) };
        Ok(Self(data))
    }

    /// Adds the node to a device's list, which gets the reference.
    ///
    /// Does not sleep, and takes the same time however many nodes are on the list.
    pub(super) fn add(self, dev: &Device<Bound>) {
        let data = ManuallyDrop::new(self).0;

        // SAFETY: `dev` is valid, and `data` was allocated for its list and is on none.
        unsafe { bindings::devres_add(dev.as_raw(), data) };
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // SAFETY: `new()` has written it.
        let registry = unsafe { self.0.cast::<Data>().read() };

        // SAFETY: The node is on no list, so it still has the reference.
        drop(unsafe { Arc::from_raw(registry) });
        // SAFETY: The node is on no list.
        unsafe { bindings::devres_free(self.0) };
    }
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

/// Returns whether this is the node of the given registry.
///
/// # Safety
///
/// `res` is the data of a node that [`Node::new()`] has made.
pub(crate) unsafe fn is_same(res: *mut c_void, registry: *mut c_void) -> c_int {
    // SAFETY: `Node::new()` has written it.
    let of = unsafe { res.cast::<Data>().read() };

    (of == registry.cast_const().cast()).into()
}

/// Releases the registry of a node, as the device is being unbound.
///
/// # Safety
///
/// `res` is the data of a node that [`Node::new()`] has made, and gives up its reference.
pub(crate) unsafe fn release(res: *mut c_void) {
    // SAFETY: `Node::new()` has written it.
    let registry = unsafe { res.cast::<Data>().read() };

    // SAFETY: The reference of the list, which has given it up.
    let registry = unsafe { Arc::from_raw(registry) };

    unwind::to_the_end(|| registry.release());
}
