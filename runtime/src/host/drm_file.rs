// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Files of a DRM device that tests open, in place of user space.

use crate::{
    bindings,
    drm::{self, file::DriverFile},
    error::from_err_ptr,
    prelude::*,
};
use core::{marker::PhantomData, ops::Deref, ptr::NonNull};

/// An open file of a DRM device. Dropping it closes the file: its handles are deleted, and then its
/// data is dropped.
///
/// It keeps the DRM device, which may be unplugged meanwhile.
///
/// # Invariants
///
/// It is open, and nobody else closes it.
pub struct DrmFile<T: DriverFile> {
    file: NonNull<bindings::drm_file>,
    _data: PhantomData<Pin<KBox<T>>>,
}

impl<T: DriverFile> DrmFile<T> {
    /// Opens a file: what `open()` of a node of the device comes to.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the device is not registered, or no more, `ENOMEM`, or what
    /// [`DriverFile::open()`] returns.
    ///
    /// # Context
    ///
    /// May sleep.
    pub fn open<D: drm::Driver<File = T>>(drm: &drm::Device<D>) -> Result<Self> {
        // SAFETY: The device is alive, and its driver has files of this type.
        let file = from_err_ptr(unsafe { bindings::drm_open_file(drm.as_raw()) })?;

        // INVARIANT: It was opened.
        Ok(Self {
            file: NonNull::new(file).ok_or(ENOMEM)?,
            _data: PhantomData,
        })
    }

    /// Deletes a handle: `DRM_IOCTL_GEM_CLOSE`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the file has no such handle.
    ///
    /// # Context
    ///
    /// May sleep.
    pub fn close_handle(&self, handle: u32) -> Result {
        // SAFETY: By the type's invariants the file is open.
        crate::error::to_result(unsafe {
            bindings::drm_gem_handle_delete(self.file.as_ptr(), handle)
        })
    }
}

impl<T: DriverFile> Deref for DrmFile<T> {
    type Target = drm::File<T>;

    fn deref(&self) -> &Self::Target {
        // SAFETY: By the type's invariants, and `open()` has made sure of the type.
        unsafe { drm::File::from_raw(self.file.as_ptr()) }
    }
}

impl<T: DriverFile> Drop for DrmFile<T> {
    fn drop(&mut self) {
        // SAFETY: By the type's invariants, and nobody has borrowed it any more.
        unsafe { bindings::drm_release_file(self.file.as_ptr()) };
    }
}
