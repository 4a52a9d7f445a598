// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The reservation lock of a GEM object, for as long as a guard lives.

use kernel::{
    bindings,
    drm::gem::{BaseObjectPrivate, IntoGEMObject},
    types::NotThreadSafe,
};
use std::ptr;

/// Holds the reservation lock of an object: `dma_resv_lock()`, which may sleep.
///
/// # Invariants
///
/// The lock of `.0` is held.
pub(crate) struct DmaResvGuard<'a, O: IntoGEMObject>(&'a O, NotThreadSafe);

impl<'a, O: IntoGEMObject> DmaResvGuard<'a, O> {
    /// Acquires the lock of `obj`.
    pub(crate) fn new(obj: &'a O) -> Self {
        // SAFETY: A GEM object has a reservation object for as long as it lives.
        unsafe { bindings::dma_resv_lock(obj.raw_dma_resv(), ptr::null_mut()) };

        // INVARIANT: The lock was acquired above.
        Self(obj, NotThreadSafe)
    }
}

impl<O: IntoGEMObject> Drop for DmaResvGuard<'_, O> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, the lock is held.
        unsafe { bindings::dma_resv_unlock(self.0.raw_dma_resv()) };
    }
}
