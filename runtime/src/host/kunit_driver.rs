// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The driver of the suite `phases_kunit`, and the devices that it is bound to.
//!
//! Stands for a file of the same name that is added to the kernel. There, the devices are on the
//! platform bus.

use super::kunit_machine::expect_warning;
use crate::{
    bindings::{self, device, device_driver, device_driver__bindgen_ty_1},
    device::{Bound, Device},
    devres::phases_kunit::{Context, Data},
    error::from_err_ptr,
    prelude::*,
};
use core::{
    cell::RefCell,
    ffi::c_int,
    ptr::{self, NonNull},
};

/// Whether unbind also releases what a release callback registers. Linux 7.3 does not.
pub(crate) const RELEASES_LATE: bool = false;

/// The bus of one test.
#[derive(Default)]
struct Bus {
    drivers: Vec<NonNull<device_driver>>,
    devices: Vec<NonNull<device>>,
}

std::thread_local! {
    /// The bus of the test that this thread runs. The tests run at the same time, and each has
    /// drivers of the same names.
    static BUS: RefCell<Bus> = RefCell::default();
}

/// Finds the context of a device.
///
/// # Safety
///
/// The device comes from [`register_device()`], and the reference is not used after the device is
/// unregistered.
unsafe fn context<'a>(dev: *mut device) -> &'a Context {
    // SAFETY: The device is valid.
    let data = unsafe { (*dev).platform_data };
    // SAFETY: `register_device()` has stored it, and the context outlives the device.
    unsafe { &*data.cast() }
}

unsafe extern "C-unwind" fn probe(raw: *mut device) -> c_int {
    // SAFETY: The driver binds the devices of this file only.
    let context = unsafe { context(raw) };
    // SAFETY: The device is bound for as long as the driver core calls its driver.
    let dev = unsafe { Device::<Bound>::from_raw(raw) };

    // SAFETY: The context outlives the device, and so the data of its driver.
    let data = unsafe { Data::probe(context, dev) };
    match data.and_then(|data| Ok(KBox::new(data, GFP_KERNEL)?)) {
        Ok(data) => {
            // SAFETY: The device is valid, and the other callbacks expect such a box.
            unsafe { bindings::dev_set_drvdata(raw, KBox::into_raw(data).cast()) };
            0
        }
        Err(error) => error.to_errno(),
    }
}

unsafe extern "C-unwind" fn remove(raw: *mut device) -> c_int {
    // SAFETY: The device is bound for as long as the driver core calls its driver.
    let dev = unsafe { Device::<Bound>::from_raw(raw) };
    // SAFETY: The device is valid.
    let data = unsafe { bindings::dev_get_drvdata(raw) }.cast::<Data>();
    // SAFETY: `probe()` has stored the data, which is dropped after this callback.
    unsafe { &*data }.unbind(dev);
    0
}

unsafe extern "C-unwind" fn post_unbind(raw: *mut device) {
    // SAFETY: The device is valid.
    let data = unsafe { bindings::dev_get_drvdata(raw) }.cast::<Data>();
    // SAFETY: The device is valid, and its driver has no data any more.
    unsafe { bindings::dev_set_drvdata(raw, ptr::null_mut()) };

    // There is none if the probe has failed.
    if !data.is_null() {
        // SAFETY: The pointer comes from `into_raw()` in `probe()`.
        drop(unsafe { KBox::from_raw(data) });
    }
}

/// The driver, registered under a name.
pub(crate) struct Registered(NonNull<device_driver>);

impl Registered {
    /// Registers the driver, until the result is dropped.
    pub(crate) fn new(name: &'static CStr) -> Result<Self> {
        let driver = device_driver {
            name: name.as_char_ptr(),
            probe: Some(probe),
            remove: Some(remove),
            p_cb: device_driver__bindgen_ty_1 {
                post_unbind_rust: Some(post_unbind),
            },
        };
        let driver = KBox::into_raw(KBox::new(driver, GFP_KERNEL)?);
        let driver = NonNull::new(driver).ok_or(ENOMEM)?;

        BUS.with_borrow_mut(|bus| bus.drivers.push(driver));
        Ok(Self(driver))
    }

    /// Returns the driver core's structure of the driver.
    pub(crate) fn as_raw(&self) -> *mut device_driver {
        self.0.as_ptr()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        BUS.with_borrow_mut(|bus| bus.drivers.retain(|driver| *driver != self.0));
        for dev in BUS.with_borrow(|bus| bus.devices.clone()) {
            // SAFETY: A device on the bus is valid.
            if unsafe { bindings::device_get_driver(dev.as_ptr()) } == self.as_raw() {
                // SAFETY: The device is valid, and this thread does not hold its lock.
                unsafe { bindings::device_release_driver(dev.as_ptr()) };
            }
        }
        // SAFETY: The pointer comes from `into_raw()`, and no device uses the driver any more.
        drop(unsafe { KBox::from_raw(self.as_raw()) });
    }
}

/// Registers a device, which no driver is bound to.
///
/// # Safety
///
/// The context is dropped after the device is unregistered by [`unregister_device()`].
pub(crate) unsafe fn register_device(context: &Context) -> Result<NonNull<device>> {
    // SAFETY: The name is a string.
    let dev = unsafe { bindings::root_device_register(c"lazy-kunit-phases".as_char_ptr()) };
    let dev = NonNull::new(from_err_ptr(dev)?).ok_or(ENODEV)?;

    // SAFETY: The device is new, so no other code uses it.
    unsafe { (*dev.as_ptr()).platform_data = ptr::from_ref(context).cast_mut().cast() };
    BUS.with_borrow_mut(|bus| bus.devices.push(dev));
    Ok(dev)
}

/// Removes a device from the bus.
///
/// # Safety
///
/// The device comes from [`register_device()`], and is not used after this.
pub(crate) unsafe fn unregister_device(dev: NonNull<device>) {
    BUS.with_borrow_mut(|bus| bus.devices.retain(|other| *other != dev));
    // SAFETY: The device is valid, and no reference to the bound device is left.
    unsafe { bindings::device_del(dev.as_ptr()) };
    // SAFETY: This is the reference that the device was made with.
    unsafe { bindings::put_device(dev.as_ptr()) };
}

/// Binds the first driver of the bus that matches. Returns whether there is one.
///
/// # Safety
///
/// The device is registered, and this thread does not hold its lock.
pub(crate) unsafe fn attach(dev: NonNull<device>) -> bool {
    let drivers = BUS.with_borrow(|bus| bus.drivers.clone());
    drivers.into_iter().any(|driver| {
        // SAFETY: Both are on the bus, and so valid.
        let is_match = unsafe { bindings::driver_match_device(driver.as_ptr(), dev.as_ptr()) };
        // SAFETY: Both are on the bus, and so valid. The caller does not hold the lock of the
        // device.
        is_match && unsafe { bindings::device_driver_attach(driver.as_ptr(), dev.as_ptr()) } == 0
    })
}

/// Runs `function`, during which the driver core prints a message that contains `what`. The message
/// is a warning here, and none in the kernel.
#[track_caller]
pub(crate) fn expect_message<R>(what: &str, function: impl FnOnce() -> R) -> R {
    expect_warning(what, function)
}
