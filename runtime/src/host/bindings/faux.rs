// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Devices without hardware: `drivers/base/faux.c`.

use super::{
    bus_type, device, device_del, device_driver, device_driver__bindgen_ty_1, device_driver_attach,
    device_kind, may_not_allocate, put_device, GFP_KERNEL,
};
use crate::str::CStr;
use core::{ffi::c_char, ptr};

/// A device without hardware: `struct faux_device`.
#[repr(C)]
pub struct faux_device {
    /// The first field: the code casts a pointer to it to a pointer to the faux device.
    pub dev: device,
}

/// The bus of faux devices.
pub(super) static FAUX_BUS: bus_type = bus_type::new();

/// The one driver of the bus, which does nothing.
pub(super) static FAUX_DRIVER: device_driver = device_driver {
    name: c"faux_driver".as_ptr(),
    probe: None,
    remove: None,
    p_cb: device_driver__bindgen_ty_1 {
        post_unbind_rust: None,
    },
};

/// Makes a device and binds the bus's driver to it: `faux_device_create()`, without operations. The
/// model has no parents. Null without memory. May sleep.
///
/// # Safety
///
/// `name` is a C string.
pub unsafe fn faux_device_create(name: *const c_char, _parent: *mut device) -> *mut faux_device {
    if may_not_allocate(GFP_KERNEL) {
        return ptr::null_mut();
    }

    // SAFETY: The caller promises that it is a C string.
    let name = unsafe { CStr::from_ptr(name) };
    let faux = Box::into_raw(Box::new(faux_device {
        dev: device::new(name, device_kind::Faux),
    }));

    // CAST: It is the first field.
    // SAFETY: The device is new, and the driver stays.
    if unsafe { device_driver_attach(&FAUX_DRIVER, faux.cast()) } != 0 {
        // SAFETY: It is the reference that the device was made with.
        unsafe { put_device(faux.cast()) };
        return ptr::null_mut();
    }
    faux
}

/// Unbinds a device and puts its reference: `faux_device_destroy()`. May sleep.
///
/// # Safety
///
/// `faux` comes from [`faux_device_create`], and nobody has a reference of it as a bound device.
pub unsafe fn faux_device_destroy(faux: *mut faux_device) {
    // CAST: It is the first field.
    let dev = faux.cast::<device>();

    // SAFETY: The caller promises that `faux` is valid, and that nobody has a reference of it as a
    // bound device.
    unsafe { device_del(dev) };
    // SAFETY: It is the reference that the device was made with.
    unsafe { put_device(dev) };
}
