// SPDX-License-Identifier: Apache-2.0 OR MIT

//! GEM objects: buffers of a DRM device. Stands for `rust/kernel/drm/gem/mod.rs`. C header:
//! `include/drm/drm_gem.h`.

use super::driver::AllocImpl;
use crate::{
    bindings, drm,
    error::to_result,
    prelude::*,
    sync::aref::{ARef, AlwaysRefCounted},
};

mod aref;
mod object;
#[cfg(feature = "attribute")]
pub mod shmem;

pub use self::object::Object;
pub use crate::impl_aref_for_gem_obj;

/// The files of the driver that a [`DriverObject`] belongs to.
pub type DriverFile<T> = drm::File<<<T as DriverObject>::Driver as drm::Driver>::File>;

/// The GEM objects of the driver that a [`DriverObject`] belongs to.
pub type DriverAllocImpl<T> = <<T as DriverObject>::Driver as drm::Driver>::Object;

/// A driver's part of a GEM object.
pub trait DriverObject: Sync + Send + Sized + 'static {
    /// The driver that it belongs to.
    type Driver: drm::Driver;

    /// The arguments of [`new`](Self::new) besides device and size.
    type Args;

    /// Makes the arguments of an object that user space creates by DRM itself: a dumb buffer, or an
    /// imported buffer. With [`None`], both are refused.
    ///
    /// There is no user space here, so this is for drivers that set it in the kernel.
    const DEFAULT_ARGS: Option<fn() -> Self::Args> = None;

    /// Makes the driver's part of an object of `size` bytes.
    fn new(
        dev: &drm::Device<Self::Driver>,
        size: usize,
        args: Self::Args,
    ) -> impl PinInit<Self, Error>;

    /// Called when a file gets a handle of the object.
    ///
    /// # Errors
    ///
    /// There is no handle then, and the code that asked for it gets the error.
    fn open(_obj: &DriverAllocImpl<Self>, _file: &DriverFile<Self>) -> Result {
        Ok(())
    }

    /// Called when a file has lost a handle of the object.
    fn close(_obj: &DriverAllocImpl<Self>, _file: &DriverFile<Self>) {}
}

/// A type with a `struct drm_gem_object` inside.
///
/// Only the `kernel` crate implements it there; what lives inside of that lives outside of this
/// one.
pub trait IntoGEMObject: Sized {
    /// Returns that `struct drm_gem_object`, which lives as long as `self`.
    fn as_raw(&self) -> *mut bindings::drm_gem_object;

    /// Returns the object around a `struct drm_gem_object`.
    ///
    /// # Safety
    ///
    /// - `self_ptr` points to the `struct drm_gem_object` inside of a `Self`.
    /// - The `Self` lives, and is not borrowed mutably, during `'a`.
    unsafe fn from_raw<'a>(self_ptr: *mut bindings::drm_gem_object) -> &'a Self;
}

/// `open` of an object's functions.
pub(crate) extern "C" fn open_callback<T: DriverObject>(
    raw_obj: *mut bindings::drm_gem_object,
    raw_file: *mut bindings::drm_file,
) -> c_int {
    // SAFETY: The DRM core calls this for files of the object's device, whose driver opened them.
    let file = unsafe { DriverFile::<T>::from_raw(raw_file) };
    // SAFETY: It is called for objects of the driver's own type.
    let obj: &DriverAllocImpl<T> = unsafe { IntoGEMObject::from_raw(raw_obj) };

    match T::open(obj, file) {
        Ok(()) => 0,
        Err(error) => error.to_errno(),
    }
}

/// `close` of an object's functions.
pub(crate) extern "C" fn close_callback<T: DriverObject>(
    raw_obj: *mut bindings::drm_gem_object,
    raw_file: *mut bindings::drm_file,
) {
    // SAFETY: The DRM core calls this for files of the object's device, whose driver opened them.
    let file = unsafe { DriverFile::<T>::from_raw(raw_file) };
    // SAFETY: It is called for objects of the driver's own type.
    let obj: &DriverAllocImpl<T> = unsafe { IntoGEMObject::from_raw(raw_obj) };

    T::close(obj, file);
}

/// The operations of every GEM object.
pub trait BaseObject: IntoGEMObject {
    /// Returns the size of the object in bytes, a multiple of
    /// [`PAGE_SIZE`](crate::page::PAGE_SIZE). It never changes.
    fn size(&self) -> usize {
        // SAFETY: `as_raw()` points to an object.
        unsafe { (*self.as_raw()).size }
    }

    /// Makes a handle of the object for a file: `drm_gem_handle_create()`. It holds a reference.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or what [`DriverObject::open()`] returns.
    ///
    /// # Context
    ///
    /// May sleep.
    fn create_handle<D, F>(&self, file: &drm::File<F>) -> Result<u32>
    where
        Self: AllocImpl<Driver = D>,
        D: drm::Driver<Object = Self, File = F>,
        F: drm::file::DriverFile<Driver = D>,
    {
        let mut handle = 0;

        // SAFETY: The file is open, and the object is alive. Both are of the same driver.
        to_result(unsafe {
            bindings::drm_gem_handle_create(file.as_raw(), self.as_raw(), &mut handle)
        })?;
        Ok(handle)
    }

    /// Returns the object of a file's handle: `drm_gem_object_lookup()`.
    ///
    /// # Errors
    ///
    /// `ENOENT` if the file has no such handle.
    ///
    /// # Context
    ///
    /// Does not sleep.
    fn lookup_handle<D, F>(file: &drm::File<F>, handle: u32) -> Result<ARef<Self>>
    where
        Self: AllocImpl<Driver = D> + AlwaysRefCounted,
        D: drm::Driver<Object = Self, File = F>,
        F: drm::file::DriverFile<Driver = D>,
    {
        // SAFETY: The file is open.
        let obj = unsafe { bindings::drm_gem_object_lookup(file.as_raw(), handle) };
        if obj.is_null() {
            return Err(ENOENT);
        }

        // SAFETY: The objects of a driver's files are of its one type, and there is a reference.
        let obj = unsafe { Self::from_raw(obj) };
        // SAFETY: This takes over the reference.
        Ok(unsafe { ARef::from_raw(obj.into()) })
    }
}

impl<T: IntoGEMObject> BaseObject for T {}

/// The operations of every GEM object that abstractions need.
///
/// In the kernel, private to the `kernel` crate. It is public here, as code of that crate lives
/// outside of this crate.
pub trait BaseObjectPrivate: IntoGEMObject {
    /// Returns the object's reservation object, which may be another object's.
    fn raw_dma_resv(&self) -> *mut bindings::dma_resv {
        // SAFETY: `as_raw()` points to an object.
        unsafe { (*self.as_raw()).resv }
    }
}

impl<T: IntoGEMObject> BaseObjectPrivate for T {}
