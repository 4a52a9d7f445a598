// SPDX-License-Identifier: GPL-2.0

//! The driver of the suite `phases_kunit`, and the devices that it is bound to.
//!
//! The devices are on the platform bus: the faux bus has one driver, which has neither private data
//! nor a match that can be overridden.
//!
//! The suite also runs on the host, which has its own version of this file.

use super::phases_kunit::{
    Context,
    Data, //
};
use crate::{
    bindings,
    container_of,
    device::{
        Bound,
        Core,
        Device, //
    },
    driver,
    error::from_err_ptr,
    platform,
    prelude::*,
    ThisModule, //
};
use core::ptr::{
    self,
    NonNull, //
};

/// Whether unbind also releases what a release callback registers. A tree with the fix of
/// `devres_release_all()` does.
pub(super) const RELEASES_LATE: bool = true;

/// Finds the context of a device.
///
/// # Safety
///
/// The device comes from [`register_device()`], and the reference is not used after the device is
/// unregistered.
unsafe fn context<'a>(dev: &Device<Bound>) -> &'a Context {
    // SAFETY: The device is valid, and its platform data is set before it is registered.
    let data = unsafe { (*dev.as_raw()).platform_data }.cast::<*const Context>();
    // SAFETY: The platform data is a copy of the pointer that `register_device()` passes.
    let context = unsafe { data.read() };
    // SAFETY: The context outlives the device.
    unsafe { &*context }
}

/// The driver, registered under two names.
struct TestDriver;

impl platform::Driver for TestDriver {
    type IdInfo = ();
    type Data<'bound> = Data;

    fn probe<'bound>(
        pdev: &'bound platform::Device<Core<'_>>,
        _id_info: Option<&'bound Self::IdInfo>,
    ) -> impl PinInit<Data, Error> + 'bound {
        let dev: &Device<Core<'_>> = pdev.as_ref();
        // SAFETY: The driver binds the devices of this file only, and the context outlives them.
        let context = unsafe { context(dev) };

        // SAFETY: The context outlives the device, and so the data of its driver.
        unsafe { Data::probe(context, dev) }
    }

    fn unbind<'bound>(pdev: &'bound platform::Device<Core<'_>>, data: Pin<&Data>) {
        let dev: &Device<Core<'_>> = pdev.as_ref();
        data.unbind(dev);
    }
}

/// There is no module: the tests are built in.
static THIS_MODULE: ThisModule =
    // SAFETY: The driver core knows that built-in drivers have no module.
    unsafe { ThisModule::from_ptr(ptr::null_mut()) };

type Registration = Pin<KBox<driver::Registration<platform::Adapter<TestDriver>>>>;

/// The driver, registered under a name.
pub(crate) struct Registered {
    _registration: Registration,
    name: &'static CStr,
}

impl Registered {
    /// Registers the driver, until the result is dropped.
    pub(crate) fn new(name: &'static CStr) -> Result<Self> {
        Ok(Self {
            _registration: KBox::pin_init(
                driver::Registration::new(name, &THIS_MODULE),
                GFP_KERNEL,
            )?,
            name,
        })
    }

    /// Returns the driver core's structure of the driver.
    pub(crate) fn as_raw(&self) -> *mut bindings::device_driver {
        // SAFETY: The name is a string, and the bus is never freed.
        unsafe {
            bindings::driver_find(
                self.name.as_char_ptr(),
                &raw const bindings::platform_bus_type,
            )
        }
    }
}

/// Registers a device, which no driver matches by name.
///
/// # Safety
///
/// The context is dropped after the device is unregistered by [`unregister_device()`].
pub(crate) unsafe fn register_device(context: &Context) -> Result<NonNull<bindings::device>> {
    let data: *const Context = context;
    let info = bindings::platform_device_info {
        name: c"lazy-kunit-phases".as_char_ptr(),
        id: bindings::PLATFORM_DEVID_AUTO,
        data: (&raw const data).cast(),
        size_data: core::mem::size_of_val(&data),
        ..Default::default()
    };
    // SAFETY: `info` is valid, and the function copies the data that `info` refers to.
    let pdev = from_err_ptr(unsafe { bindings::platform_device_register_full(&info) })?;

    // SAFETY: The device is registered, and so valid.
    NonNull::new(unsafe { &raw mut (*pdev).dev }).ok_or(ENODEV)
}

/// Removes a device from the bus.
///
/// # Safety
///
/// The device comes from [`register_device()`], and is not used after this.
pub(crate) unsafe fn unregister_device(dev: NonNull<bindings::device>) {
    // SAFETY: `register_device()` returns the device in a platform device.
    let pdev = unsafe { container_of!(dev.as_ptr(), bindings::platform_device, dev) };
    // SAFETY: The device is registered.
    unsafe { bindings::platform_device_unregister(pdev) };
}

/// Makes the driver core look for a driver that matches. Returns whether the device is bound now.
///
/// # Safety
///
/// The device is registered, and this thread does not hold its lock.
pub(crate) unsafe fn attach(dev: NonNull<bindings::device>) -> bool {
    // SAFETY: The device is registered, and this thread does not hold its lock.
    unsafe { bindings::device_attach(dev.as_ptr()) == 1 }
}

/// Runs `function`, during which the driver core prints a message that contains `what`. The kernel
/// does not report such a message, so the runner does not look for it. The host does.
pub(crate) fn expect_message<R>(_what: &str, function: impl FnOnce() -> R) -> R {
    function()
}
