// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Makes the buffer of another driver an object. The items below the imports are those of the
//! kernel: `cargo xtask kernel apply` adds them to `rust/kernel/drm/gem/shmem.rs`.
//!
//! Only tests import here: there is no user space.

use super::{
    Device,
    DriverObject,
    IntoGEMObject,
    Object, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    error::{
        from_err_ptr,
        to_result, //
    },
    page::page_align,
    prelude::*,
    sync::aref::ARef, //
};

impl<T: DriverObject> Object<T> {
    /// Imports a buffer of another driver: creates an object, and attaches the device to the
    /// buffer.
    ///
    /// The import maps nothing. [`sg_table()`](Self::sg_table) maps the buffer on first use;
    /// unbind, or the release of the object, unmaps it. The release then detaches the device and
    /// puts the buffer, whether the device is bound or not.
    ///
    /// # Safety
    ///
    /// `dma_buf` is valid, and this thread does not hold its reservation lock.
    pub(super) unsafe fn import(
        dev: &Device<T::Driver>,
        dma_buf: *mut bindings::dma_buf,
        args: T::Args,
    ) -> Result<ARef<Self>> {
        // SAFETY: `dma_buf` is valid, and its size does not change.
        let size = page_align(unsafe { (*dma_buf).size }).ok_or(EINVAL)?;
        let new = Self::allocate(dev, size, None, args)?;

        // SAFETY: `dev` is a valid DRM device, whose parent does not change.
        let parent = unsafe { (*dev.as_raw()).dev };
        // SAFETY: `dma_buf` is valid. The object keeps `dev`, which has a reference to its parent.
        let attach = from_err_ptr(unsafe { bindings::dma_buf_attach(dma_buf, parent) })?;
        // SAFETY: `dma_buf` is valid.
        unsafe { bindings::get_dma_buf(dma_buf) };

        // Not by `drm_gem_shmem_init()`: the pages are those of the exporter.
        // SAFETY: `dev` is valid, and the object is zeroed up to its functions.
        unsafe { bindings::drm_gem_private_object_init(dev.as_raw(), new.as_raw(), size) };
        // SAFETY: No other code knows of the object.
        unsafe { (*new.as_raw()).import_attach = attach };
        // SAFETY: `dma_buf` is valid.
        let resv = unsafe { (*dma_buf).resv };
        // SAFETY: No other code knows of the object, which keeps `dma_buf`.
        unsafe { (*new.as_raw()).resv = resv };

        // SAFETY: The object is not moved out of the box.
        let new = KBox::into_raw(unsafe { Pin::into_inner_unchecked(new) });
        // SAFETY: The pointer of a box is not null.
        let new = unsafe { NonNull::new_unchecked(new) };
        // SAFETY: The result takes over the first reference. Dropping the last reference releases
        // the object, which detaches and puts the buffer.
        let obj = unsafe { ARef::from_raw(new) };

        // SAFETY: The object is initialised.
        to_result(unsafe { bindings::drm_gem_create_mmap_offset(obj.as_raw()) })?;
        Ok(obj)
    }
}
