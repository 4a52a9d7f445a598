// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The reservation lock of an object.

use super::{BaseObjectPrivate, DriverObject, Object};
use crate::{bindings, types::NotThreadSafe};
use core::ptr;

/// Holds the reservation lock of an object.
pub(super) struct DmaResvGuard<'a, T: DriverObject>(&'a Object<T>, NotThreadSafe);

impl<'a, T: DriverObject> DmaResvGuard<'a, T> {
    /// Takes the lock. May sleep.
    #[inline]
    #[track_caller]
    pub(super) fn new(obj: &'a Object<T>) -> Self {
        // SAFETY: The lock is there as long as the object.
        unsafe { bindings::dma_resv_lock(obj.raw_dma_resv(), ptr::null_mut()) };

        Self(obj, NotThreadSafe)
    }
}

impl<T: DriverObject> Drop for DmaResvGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `new()` has taken the lock.
        unsafe { bindings::dma_resv_unlock(self.0.raw_dma_resv()) };
    }
}
