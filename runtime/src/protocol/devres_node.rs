// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The devres node of a registry. It puts the registry on the device's list.
//!
//! The host and the kernel compile this file, under the rule of `lazy`. C code calls functions of
//! `sys`, whose ABI differs between the two. These call the functions below.
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

/// A node that is on no list yet. It owns a reference to the registry.
pub(super) struct Node(*mut c_void);

impl Node {
    /// Allocates the node of a registry.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there is no memory.
    pub(super) fn new(registry: Arc<Registry>) -> Result<Self> {
        // SAFETY: Any thread may call `sys::release()` with the data that is written below.
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

        // SAFETY: `data` was allocated with the size of a `Data`, and is on no list.
        unsafe { data.cast::<Data>().write(Arc::into_raw(registry)) };
        Ok(Self(data))
    }

    /// Adds the node to a device's list, which takes over the reference.
    ///
    /// Does not sleep, and takes the same time for any number of nodes on the list.
    pub(super) fn add(self, dev: &Device<Bound>) {
        let data = ManuallyDrop::new(self).0;

        // SAFETY: `dev` is valid, and `data` was allocated for its list and is on none.
        unsafe { bindings::devres_add(dev.as_raw(), data) };
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // SAFETY: `new()` has written the `Data` of the node.
        let registry = unsafe { self.0.cast::<Data>().read() };

        // SAFETY: `registry` comes from `Arc::into_raw()`. The node is on no list, so it still owns
        // the reference.
        drop(unsafe { Arc::from_raw(registry) });
        // SAFETY: The node comes from `__devres_alloc_node()`, is on no list, and is not used
        // again.
        unsafe { bindings::devres_free(self.0) };
    }
}

/// Takes a registry off a device's list, if it is there, and releases it now.
pub(super) fn withdraw(dev: &Device<Bound>, registry: &Registry) {
    // SAFETY: `dev` is valid. `sys::is_same()` is for nodes with `sys::release()`, and does not
    // dereference `registry`.
    unsafe {
        bindings::devres_release(
            dev.as_raw(),
            Some(sys::release),
            Some(sys::is_same),
            ptr::from_ref(registry).cast_mut().cast(),
        )
    };
}

/// Returns whether `res` is the data of the node of `registry`.
///
/// # Safety
///
/// `res` is the data of a node that [`Node::new()`] has made.
pub(crate) unsafe fn is_same(res: *mut c_void, registry: *mut c_void) -> c_int {
    // SAFETY: The caller promises that `Node::new()` has made the node, and so has written `res`.
    let of = unsafe { res.cast::<Data>().read() };

    (of == registry.cast_const().cast()).into()
}

/// Releases the registry of a node. devres calls this when it releases the node.
///
/// # Context
///
/// May sleep.
///
/// # Safety
///
/// `res` is the data of a node that [`Node::new()`] has made. The node gives up its reference.
pub(crate) unsafe fn release(res: *mut c_void) {
    // SAFETY: The caller promises that `Node::new()` has made the node, and so has written `res`.
    let registry = unsafe { res.cast::<Data>().read() };

    // SAFETY: `registry` comes from `Arc::into_raw()`, and the node has given up its reference.
    let registry = unsafe { Arc::from_raw(registry) };

    unwind::to_the_end(|| registry.release());
}
