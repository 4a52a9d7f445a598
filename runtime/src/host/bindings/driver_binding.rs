// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Binding a driver to a device, and unbinding it.
//!
//! Models `drivers/base/dd.c` and the driver override of `include/linux/device.h`. There is no bus:
//! a driver's own callbacks are called, and a driver matches a device unless an override names
//! another one.
//!
//! A panic in a callback unbinds the device, or leaves it unbound, releases what it has, and then
//! goes on.

use super::{
    bus_notifier_event_BUS_NOTIFY_UNBIND_DRIVER, dev_set_drvdata, device, device_guard,
    device_kind, device_links_busy, device_links_check_suppliers, device_links_driver_bound,
    device_links_driver_cleanup, device_links_no_driver, device_links_unbind_consumers,
    device_lock_assert, devres_release_all, dma_check_unbind, faux::FAUX_DRIVER, Steps,
};
use crate::{error::code, fault, str::CStr, unwind::go_on};
use core::{
    ffi::{c_char, c_int},
    ptr,
    sync::atomic::Ordering,
};
use std::{ffi::CString, panic::catch_unwind, sync::PoisonError};

/// A driver: `struct device_driver`, as far as the driver core calls it here.
pub struct device_driver {
    /// The name for [`__device_set_driver_override()`], a C string.
    pub name: *const c_char,
    /// Called with the device's lock held, to make use of the device. Returns 0 or an error number,
    /// which is negative.
    pub probe: Option<unsafe extern "C-unwind" fn(dev: *mut device) -> c_int>,
    /// Called with the device's lock held, before anything of the device is released.
    pub remove: Option<unsafe extern "C-unwind" fn(dev: *mut device) -> c_int>,
    /// Callbacks that only the driver core's Rust side sets.
    pub p_cb: device_driver__bindgen_ty_1,
}

/// The anonymous struct in `struct device_driver`.
#[derive(Clone, Copy, Default)]
pub struct device_driver__bindgen_ty_1 {
    /// Drops the driver's private data: after `remove`, or after a `probe` that has failed, and
    /// before the managed resources are released.
    pub post_unbind_rust: Option<unsafe extern "C-unwind" fn(dev: *mut device)>,
}

// SAFETY: The functions may be called on any thread, and the name is a string that its owner keeps.
unsafe impl Send for device_driver {}

// SAFETY: The struct is not changed once a device has it.
unsafe impl Sync for device_driver {}

/// Names the one driver that may bind a device, or with an empty name lifts that:
/// `__device_set_driver_override()`. A driver that is bound already stays.
///
/// A newline ends the name, as sysfs has it. Returns 0, or `-EINVAL` if `s` is null.
///
/// # Safety
///
/// `dev` must be valid, and `s` be null or a C string.
pub unsafe fn __device_set_driver_override(
    dev: *mut device,
    s: *const c_char,
    _len: usize,
) -> c_int {
    if s.is_null() {
        return code::EINVAL.to_errno();
    }
    // SAFETY: The caller promises that it is a C string.
    let name = unsafe { CStr::from_ptr(s) }.to_bytes();
    let name: Vec<_> = name.iter().copied().take_while(|c| *c != b'\n').collect();

    // SAFETY: The caller promises that `dev` is valid.
    *unsafe { &*dev }
        .driver_override
        .lock()
        .unwrap_or_else(PoisonError::into_inner) =
        CString::new(name).ok().filter(|name| !name.is_empty());
    0
}

/// Returns the name of a device's driver, or an empty string if it has none: `dev_driver_string()`.
/// The buses here have no names.
///
/// # Safety
///
/// `dev` must be valid.
pub unsafe fn dev_driver_string(dev: *const device) -> *const c_char {
    // SAFETY: The caller promises that `dev` is valid.
    let driver = unsafe { device_get_driver(dev.cast_mut()) };
    // SAFETY: A driver is valid as long as a device has it.
    unsafe { driver.as_ref() }.map_or(c"".as_ptr(), |driver| driver.name)
}

/// Returns whether a driver may bind a device: `driver_match_device()`.
///
/// # Safety
///
/// `drv` and `dev` must be valid.
pub unsafe fn driver_match_device(drv: *const device_driver, dev: *mut device) -> bool {
    // SAFETY: The caller promises that `dev` is valid.
    let name = unsafe { &*dev }
        .driver_override
        .lock()
        .unwrap_or_else(PoisonError::into_inner);

    name.as_deref().is_none_or(|name| {
        // SAFETY: The caller promises that `drv` is valid.
        let of = unsafe { &*drv }.name;
        // SAFETY: The name of a driver is a C string.
        name == unsafe { CStr::from_ptr(of) }
    })
}

/// Probes a device with a driver, and binds it if that succeeds: `driver_probe_device()`. May
/// sleep.
///
/// Returns:
///
/// - 0 if the driver is bound;
/// - `-ENODEV` if the device was removed, `-EBUSY` if it has a driver or managed resources left
///   over, and `-EPROBE_DEFER` if a supplier has no driver. In these cases the driver is not
///   called;
/// - the driver's error as a *positive* number if its probe fails. All that the device has by then
///   was released.
///
/// # Panics
///
/// If the driver's probe panics, or what it has left behind when that is released. The device is
/// then unbound.
///
/// # Safety
///
/// - The caller must hold the lock of `dev`, which must be valid.
/// - `drv` must be valid until the driver is unbound, and its functions be made for this device.
#[track_caller]
pub unsafe fn driver_probe_device(drv: *const device_driver, dev: *mut device) -> c_int {
    // SAFETY: The caller promises that `dev` is valid.
    let device = unsafe { &*dev };
    device_lock_assert(device);

    if device.dead.load(Ordering::Relaxed) {
        return code::ENODEV.to_errno();
    }
    if !device.driver.load(Ordering::Relaxed).is_null() {
        return code::EBUSY.to_errno();
    }

    // SAFETY: The caller promises what `really_probe()` asks for.
    unsafe { really_probe(drv, dev) }
}

/// The second half of [`driver_probe_device()`], with a device that has no driver.
#[track_caller]
unsafe fn really_probe(drv: *const device_driver, dev: *mut device) -> c_int {
    // SAFETY: The caller promises that `dev` is valid.
    let device = unsafe { &*dev };

    // From here on the state is `DL_DEV_PROBING`, also if this function gives up below.
    // SAFETY: The caller promises that `dev` is valid.
    let suppliers = unsafe { device_links_check_suppliers(dev) };
    if suppliers != 0 {
        return suppliers;
    }
    if !device.devres().is_empty() {
        super::warn(format!(
            "{}: resources present before probing",
            device.label()
        ));
        return code::EBUSY.to_errno();
    }

    device.driver.store(drv.cast_mut(), Ordering::Relaxed);
    // SAFETY: The caller promises that `drv` is valid.
    let probe = unsafe { &*drv }.probe;
    let probed = catch_unwind(|| {
        // SAFETY: The caller promises that the function is made for this device.
        probe.map_or(0, |probe| unsafe { probe(dev) })
    });
    if let Ok(0) = probed {
        // SAFETY: The caller promises that `dev` is valid.
        unsafe { driver_bound(dev) };
        return 0;
    }

    // The state is `DL_DEV_NO_DRIVER` before anything is released. C does not look for DMA mappings
    // that are left: `DMA_API_DEBUG` hears only of drivers that were bound.
    // SAFETY: The caller promises that `dev` is valid.
    unsafe { device_links_no_driver(dev) };
    let cleaned = catch_unwind(|| {
        // SAFETY: The caller promises that `dev` is valid, and stays so.
        unsafe { device_unbind_cleanup(dev) };
    });
    match probed {
        Ok(error) => {
            cleaned.unwrap_or_else(go_on);
            -error
        }
        Err(failure) => {
            go_on(failure);
            code::EIO.to_errno().wrapping_neg()
        }
    }
}

/// The driver has made use of the device: `driver_bound()`.
unsafe fn driver_bound(dev: *mut device) {
    // SAFETY: The caller promises that `dev` is valid.
    let device = unsafe { &*dev };
    device.bound.store(true, Ordering::Relaxed);

    // SAFETY: The caller promises that `dev` is valid.
    unsafe { device_links_driver_bound(dev) };
}

/// Binds a driver to a device: `device_driver_attach()`. May sleep.
///
/// Returns 0, or an error number, which is negative. In place of `-EPROBE_DEFER` that is `-EAGAIN`.
///
/// # Safety
///
/// As for [`driver_probe_device()`], but the caller must not hold the lock of `dev`.
#[track_caller]
pub unsafe fn device_driver_attach(drv: *const device_driver, dev: *mut device) -> c_int {
    // SAFETY: The caller promises that `dev` is valid.
    let _lock = unsafe { device_guard(dev) };
    // SAFETY: The lock is held, and the caller promises the rest.
    let ret = unsafe { driver_probe_device(drv, dev) };

    match -ret.abs() {
        ret if ret == code::EPROBE_DEFER.to_errno() => code::EAGAIN.to_errno(),
        ret => ret,
    }
}

/// Binds a driver of the device's bus: `device_attach()`. May sleep.
///
/// Returns 1 if the device has a driver then, and 0 if there is none for it. Only the bus of faux
/// devices has a driver that the model knows of.
///
/// # Safety
///
/// As for [`device_driver_attach()`].
#[track_caller]
pub unsafe fn device_attach(dev: *mut device) -> c_int {
    // SAFETY: The caller promises that `dev` is valid.
    let device = unsafe { &*dev };
    if device.kind() != device_kind::Faux {
        return (!device.driver.load(Ordering::Relaxed).is_null()).into();
    }

    // SAFETY: It is a driver of this bus, and the caller promises the rest.
    match unsafe { device_driver_attach(&FAUX_DRIVER, dev) } {
        0 => 1,
        error if error == code::EBUSY.to_errno() => 1,
        _ => 0,
    }
}

/// Returns the driver of a device, or null: `dev->driver`. It has one while it is probed, too.
///
/// # Safety
///
/// `dev` must be valid.
pub(crate) unsafe fn device_get_driver(dev: *mut device) -> *mut device_driver {
    // SAFETY: The caller promises that `dev` is valid.
    unsafe { &*dev }.driver.load(Ordering::Relaxed)
}

/// Returns whether a device has a driver that has finished probing: `device_is_bound()`.
///
/// # Safety
///
/// `dev` must be valid.
pub unsafe fn device_is_bound(dev: *mut device) -> bool {
    // SAFETY: The caller promises that `dev` is valid.
    unsafe { &*dev }.bound.load(Ordering::Relaxed)
}

/// Unbinds the driver of a device, if it has one: `device_release_driver()`. May sleep.
///
/// First the drivers of its consumers are unbound. Then its own `remove` is called, its private
/// data is dropped, and all that is registered with the device is released, in this order. Then
/// DMA mappings that are left are reported.
///
/// # Panics
///
/// If a step panics, after the others were done: the device is then unbound. Also if the thread
/// holds the device's lock, as a driver's callback does, or is where nothing may sleep: then nothing
/// was done.
///
/// # Safety
///
/// - `dev` must be valid, and stay so.
/// - No code may rely on the device being bound any more, except the driver's callbacks and
///   release functions until they return. The same holds for its consumers.
#[track_caller]
pub unsafe fn device_release_driver(dev: *mut device) {
    // Found out now, the device is still bound afterwards, and nothing was released.
    fault::might_sleep("device_release_driver");

    // SAFETY: The caller promises that `dev` is valid and stays so.
    let device = unsafe { &*dev };
    // SAFETY: As `dev` is valid, it can be locked.
    let mut lock = unsafe { device_guard(dev) };
    let drv = device.driver.load(Ordering::Relaxed);
    if drv.is_null() {
        return;
    }

    let mut steps = Steps::default();
    // SAFETY: `dev` is valid.
    while unsafe { device_links_busy(dev) } {
        drop(lock);
        // SAFETY: `dev` is valid, and the caller promises that its consumers may be unbound.
        steps.run(|| unsafe { device_links_unbind_consumers(dev) });
        // SAFETY: As `dev` is valid, it can be locked.
        lock = unsafe { device_guard(dev) };
        // Another thread has been here while the lock was not held.
        if device.driver.load(Ordering::Relaxed) != drv {
            drop(lock);
            return steps.finish();
        }
    }

    // SAFETY: Buses are there for good.
    if let Some(bus) = unsafe { device.bus.as_ref() } {
        // SAFETY: The device is valid, and its lock is held.
        steps.run(|| unsafe { bus.notify(bus_notifier_event_BUS_NOTIFY_UNBIND_DRIVER, dev) });
    }
    // SAFETY: A driver is valid as long as a device has it.
    if let Some(remove) = unsafe { &*drv }.remove {
        steps.run(|| {
            // SAFETY: The driver is bound to this device, and its lock is held.
            unsafe { remove(dev) };
        });
    }
    // SAFETY: `dev` is valid and stays so.
    steps.run(|| unsafe { device_unbind_cleanup(dev) });
    // SAFETY: `dev` is valid.
    steps.run(|| unsafe { device_links_driver_cleanup(dev) });
    device.bound.store(false, Ordering::Relaxed);
    steps.run(|| dma_check_unbind(device));
    drop(lock);
    steps.finish();
}

/// Drops the driver's private data, and then releases all that is registered with the device:
/// `device_unbind_cleanup()`. The device has no driver afterwards.
///
/// # Safety
///
/// `dev` must be valid and stay so, and have a driver, whose callbacks have returned.
unsafe fn device_unbind_cleanup(dev: *mut device) {
    // SAFETY: The caller promises that `dev` is valid.
    let device = unsafe { &*dev };
    let drv = device.driver.load(Ordering::Relaxed);

    let mut steps = Steps::default();
    // SAFETY: A driver is valid as long as a device has it.
    if let Some(post_unbind) = unsafe { &*drv }.p_cb.post_unbind_rust {
        // SAFETY: The driver's other callbacks have returned.
        steps.run(|| unsafe { post_unbind(dev) });
    }
    steps.run(|| {
        // SAFETY: `dev` is valid, and stays so.
        unsafe { devres_release_all(dev) };
    });
    device.driver.store(ptr::null_mut(), Ordering::Relaxed);
    // SAFETY: `dev` is valid, and no driver expects data of it.
    unsafe { dev_set_drvdata(dev, ptr::null_mut()) };
    steps.finish();
}
