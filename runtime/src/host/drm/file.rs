// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Open files. Stands for `rust/kernel/drm/file.rs`. C header: `include/drm/drm_file.h`.

use crate::{bindings, drm, prelude::*, types::Opaque};
use core::marker::PhantomData;

/// A driver's own data of an open file.
pub trait DriverFile {
    /// The driver that it belongs to.
    type Driver: drm::Driver;

    /// Makes the data when a file is opened.
    ///
    /// # Errors
    ///
    /// The file is not opened then, and the code that opens it gets the error.
    fn open(device: &drm::Device<Self::Driver>) -> Result<Pin<KBox<Self>>>;
}

/// An open file of a DRM device: `struct drm_file`.
///
/// # Invariants
///
/// It was opened by `T::open()`, and is not closed while there are references.
#[repr(transparent)]
pub struct File<T: DriverFile>(Opaque<bindings::drm_file>, PhantomData<T>);

impl<T: DriverFile> File<T> {
    /// Returns the file around a `struct drm_file`.
    ///
    /// # Safety
    ///
    /// `ptr` points to a file that was opened by `T::open()`, and stays open during `'a`.
    #[doc(hidden)]
    pub unsafe fn from_raw<'a>(ptr: *mut bindings::drm_file) -> &'a File<T> {
        // CAST: `File` is a transparent wrapper.
        // SAFETY: The caller promises that the file is open for `'a`.
        unsafe { &*ptr.cast() }
    }

    pub(crate) fn as_raw(&self) -> *mut bindings::drm_file {
        self.0.get()
    }

    fn driver_priv(&self) -> *mut T {
        // SAFETY: The file is open.
        unsafe { (*self.as_raw()).driver_priv }.cast()
    }

    /// Returns the driver's own data.
    pub fn inner(&self) -> Pin<&T> {
        // SAFETY: `open_callback()` has stored the pointer of a box, which is there until the file
        // is closed.
        let inner = unsafe { &*self.driver_priv() };

        // SAFETY: The data stays in its box.
        unsafe { Pin::new_unchecked(inner) }
    }

    /// `open` of the driver.
    pub(crate) extern "C" fn open_callback(
        raw_dev: *mut bindings::drm_device,
        raw_file: *mut bindings::drm_file,
    ) -> c_int {
        // SAFETY: The DRM core calls this for a live device of the driver whose file this is.
        let drm = unsafe { drm::Device::from_raw(raw_dev) };

        match T::open(drm) {
            Ok(inner) => {
                // SAFETY: The data stays in its box, which `postclose_callback()` drops.
                let inner = KBox::into_raw(unsafe { Pin::into_inner_unchecked(inner) });
                // SAFETY: The file is being opened, and nobody else uses it.
                unsafe { (*raw_file).driver_priv = inner.cast() };
                0
            }
            Err(error) => error.to_errno(),
        }
    }

    /// `postclose` of the driver.
    pub(crate) extern "C" fn postclose_callback(
        _raw_dev: *mut bindings::drm_device,
        raw_file: *mut bindings::drm_file,
    ) {
        // SAFETY: The DRM core calls this for a file that `open_callback()` has opened.
        let file = unsafe { Self::from_raw(raw_file) };

        // SAFETY: `open_callback()` has stored it, and nobody uses it any more.
        drop(unsafe { KBox::from_raw(file.driver_priv()) });
    }
}
