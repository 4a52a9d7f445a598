// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Open files of a DRM device, and their handles: `drivers/gpu/drm/drm_file.c` and the handles of
//! `drivers/gpu/drm/drm_gem.c`.
//!
//! There is no user space here: a test opens a file by [`drm_open_file`], which is what opening a
//! node of the device comes to in C.

use super::{
    drm_dev_get, drm_dev_put, drm_device, drm_gem_object, drm_gem_object_get, drm_gem_object_put,
    may_not_allocate, report_afterwards, Gem, ERR_PTR, GFP_KERNEL,
};
use crate::error::code;
use core::{
    ffi::{c_int, c_long, c_void},
    mem, ptr,
    sync::atomic::Ordering,
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// An open file: `struct drm_file`.
pub struct drm_file {
    /// The driver's own data.
    pub driver_priv: *mut c_void,
    /// The device, with a reference: `minor->dev`.
    dev: *mut drm_device,
    /// Objects by handle, with a reference to each: `object_idr`.
    objects: Mutex<Handles>,
}

#[derive(Default)]
struct Handles(BTreeMap<u32, *mut drm_gem_object>);

impl drm_file {
    fn objects(&self) -> MutexGuard<'_, Handles> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a file of a device: `drm_open()`. May sleep.
///
/// Returns an error pointer: `-ENODEV` if the device is not registered, or no more, `-ENOMEM`, or
/// what the driver's `open` returns.
///
/// # Safety
///
/// `dev` points to a live DRM device.
pub unsafe fn drm_open_file(dev: *mut drm_device) -> *mut drm_file {
    let error = |errno: c_int| {
        // SAFETY: No requirements.
        unsafe { ERR_PTR(c_long::from(errno)) }.cast()
    };

    // SAFETY: The caller promises that `dev` is alive.
    let unplugged = unsafe { &(*dev).unplugged }.load(Ordering::SeqCst);
    // SAFETY: The caller promises that `dev` is alive.
    let registered = unsafe { &(*dev).registered }.load(Ordering::Acquire);
    if unplugged || !registered {
        return error(code::ENODEV.to_errno());
    }
    if may_not_allocate(GFP_KERNEL) {
        return error(code::ENOMEM.to_errno());
    }

    // SAFETY: The caller promises that `dev` is alive.
    unsafe { drm_dev_get(dev) };
    let file = Box::into_raw(Box::new(drm_file {
        driver_priv: ptr::null_mut(),
        dev,
        objects: Mutex::default(),
    }));

    // SAFETY: The file holds a reference to `dev`.
    let driver = unsafe { (*dev).driver };
    // SAFETY: A driver is valid while it is set.
    if let Some(open) = unsafe { (*driver).open } {
        // SAFETY: The callback is made for this device.
        let ret = unsafe { open(dev, file) };
        if ret != 0 {
            // SAFETY: Made above, and nobody else has it.
            drop(unsafe { Box::from_raw(file) });
            // SAFETY: This is the reference that was taken above.
            unsafe { drm_dev_put(dev) };
            return error(ret);
        }
    }
    file
}

/// Closes a file: `drm_release()`. May sleep.
///
/// Its handles are deleted first, each with the object's `close`, then the driver's `postclose` is
/// called.
///
/// # Safety
///
/// `file` comes from [`drm_open_file`], and nobody uses it any more.
pub unsafe fn drm_release_file(file: *mut drm_file) {
    // SAFETY: The caller promises that `file` comes from `drm_open_file()`.
    let dev = unsafe { (*file).dev };

    // `drm_gem_release()`.
    // SAFETY: The caller promises that `file` comes from `drm_open_file()`.
    let objects = mem::take(&mut unsafe { &*file }.objects().0);
    for obj in objects.into_values() {
        // SAFETY: The file has had a handle with a reference.
        unsafe { close_and_put(file, obj) };
    }

    // SAFETY: The file has a reference to the device.
    let driver = unsafe { (*dev).driver };
    // SAFETY: A driver is valid while it is set.
    if let Some(postclose) = unsafe { (*driver).postclose } {
        // SAFETY: The callback is made for this device, and the file was opened by its `open`.
        report_afterwards(|| unsafe { postclose(dev, file) });
    }

    // SAFETY: Made by `drm_open_file()`, and nobody uses it any more.
    drop(unsafe { Box::from_raw(file) });
    // SAFETY: The reference of the file.
    unsafe { drm_dev_put(dev) };
}

/// Makes a handle for an object: `drm_gem_handle_create()`. May sleep.
///
/// Returns 0, `-ENOMEM`, or what the object's `open` returns. Handles are positive. Each holds a
/// reference to the object.
///
/// # Safety
///
/// - `file` is open, and `handlep` is valid for writing.
/// - `obj` points to a live object of the file's device.
pub unsafe fn drm_gem_handle_create(
    file: *mut drm_file,
    obj: *mut drm_gem_object,
    handlep: *mut u32,
) -> c_int {
    if may_not_allocate(GFP_KERNEL) {
        return code::ENOMEM.to_errno();
    }

    // SAFETY: The caller promises that `obj` is alive.
    unsafe { drm_gem_object_get(obj) };
    // SAFETY: `obj` is alive: this function holds a reference to it.
    let gem = unsafe { Gem::new(obj) };
    // SAFETY: Functions outlive the objects that use them.
    if let Some(open) = unsafe { gem.funcs().as_ref() }.and_then(|funcs| funcs.open) {
        // SAFETY: The callback is made for this object, and for files of its device.
        let ret = unsafe { open(obj, file) };
        if ret != 0 {
            // SAFETY: The reference that was taken above.
            unsafe { drm_gem_object_put(obj) };
            return ret;
        }
    }

    // SAFETY: The caller promises that `file` is open.
    let mut objects = unsafe { &*file }.objects();
    // The lowest that is free, of a number that nobody runs out of.
    let handle = (1..)
        .find(|handle| !objects.0.contains_key(handle))
        .unwrap_or(0);
    objects.0.insert(handle, obj);
    // SAFETY: The caller promises that `handlep` is valid for writing.
    unsafe { handlep.write(handle) };
    0
}

/// Deletes a handle: `drm_gem_handle_delete()`. May sleep. Returns 0, or `-EINVAL` if there is none
/// of this number.
///
/// # Safety
///
/// `file` is open.
pub unsafe fn drm_gem_handle_delete(file: *mut drm_file, handle: u32) -> c_int {
    // SAFETY: The caller promises that `file` is open.
    let obj = unsafe { &*file }.objects().0.remove(&handle);

    match obj {
        Some(obj) => {
            // SAFETY: The file has had a handle with a reference.
            unsafe { close_and_put(file, obj) };
            0
        }
        None => code::EINVAL.to_errno(),
    }
}

/// Ends the handle of an object: `drm_gem_object_release_handle()`.
///
/// # Safety
///
/// The caller gives up the handle's reference.
unsafe fn close_and_put(file: *mut drm_file, obj: *mut drm_gem_object) {
    // SAFETY: There is a reference.
    let gem = unsafe { Gem::new(obj) };
    // SAFETY: Functions outlive the objects that use them.
    if let Some(close) = unsafe { gem.funcs().as_ref() }.and_then(|funcs| funcs.close) {
        // SAFETY: The callback is made for this object, and for files of its device.
        report_afterwards(|| unsafe { close(obj, file) });
    }

    // SAFETY: The caller gives up the reference.
    unsafe { drm_gem_object_put(obj) };
}

/// Returns the object of a handle, with a reference, or null: `drm_gem_object_lookup()`.
///
/// # Safety
///
/// `file` is open.
pub unsafe fn drm_gem_object_lookup(file: *mut drm_file, handle: u32) -> *mut drm_gem_object {
    // SAFETY: The caller promises that `file` is open.
    let objects = unsafe { &*file }.objects();

    match objects.0.get(&handle) {
        Some(&obj) => {
            // SAFETY: The handle has a reference, and is not deleted while the lock is held.
            unsafe { drm_gem_object_get(obj) };
            obj
        }
        None => ptr::null_mut(),
    }
}
