// SPDX-License-Identifier: GPL-2.0

//! The PCI device of the suite `bar_kunit`: QEMU's `pci-testdev`.
//!
//! The suite also runs on the host, which has its own version of this file.

use crate::{
    bindings,
    device::{
        Bound,
        Core, //
    },
    device_id::IdArray,
    driver,
    error::to_result,
    pci,
    prelude::*,
    sync::aref::ARef,
    ThisModule, //
};
use core::ptr::{
    self,
    NonNull, //
};

/// The name of the driver.
const NAME: &CStr = c"lazy-kunit-pci";

/// The device ID that the PCI driver samples in Rust also use.
const DEVICE: u16 = 0x5;

/// Not made by the macro for such tables, which also exports a symbol for modules.
static PCI_TABLE: IdArray<pci::DeviceId, (), 1> = IdArray::new([(
    pci::DeviceId::from_id(pci::Vendor::REDHAT, DEVICE as u32),
    &(),
)]);

/// A driver that enables the device, and does nothing else.
struct TestDriver;

impl pci::Driver for TestDriver {
    type IdInfo = ();
    type Data<'bound> = Self;

    const ID_TABLE: pci::IdTable<Self::IdInfo> = &PCI_TABLE;

    fn probe<'bound>(
        pdev: &'bound pci::Device<Core<'_>>,
        _info: Option<&'bound Self::IdInfo>,
    ) -> impl PinInit<Self, Error> + 'bound {
        pdev.enable_device_mem()?;

        Ok(Self)
    }
}

/// There is no module: the tests are built in.
static THIS_MODULE: ThisModule =
    // SAFETY: The driver core knows that built-in drivers have no module.
    unsafe { ThisModule::from_ptr(ptr::null_mut()) };

/// The device. Its usual driver is unbound while a test uses it.
pub(crate) struct TestDevice {
    pdev: ARef<pci::Device>,
    _driver: Pin<KBox<driver::Registration<pci::Adapter<TestDriver>>>>,
}

impl TestDevice {
    /// Finds the device. [`None`] if the machine has none.
    pub(crate) fn new() -> Result<Option<Self>> {
        let vendor = u32::from(pci::Vendor::REDHAT.as_raw());
        // SAFETY: A null pointer begins the search at the first device.
        let pdev = unsafe { bindings::pci_get_device(vendor, u32::from(DEVICE), ptr::null_mut()) };
        let Some(pdev) = NonNull::new(pdev) else {
            return Ok(None);
        };
        // CAST: `pci::Device` is a transparent wrapper of a `struct pci_dev`.
        // SAFETY: `pci_get_device()` has taken a reference.
        let pdev: ARef<pci::Device> = unsafe { ARef::from_raw(pdev.cast()) };

        let driver = KBox::pin_init(driver::Registration::new(NAME, &THIS_MODULE), GFP_KERNEL)?;
        let testdev = Self {
            pdev,
            _driver: driver,
        };
        testdev.release();
        Ok(Some(testdev))
    }

    fn as_raw(&self) -> *mut bindings::device {
        let dev: &crate::device::Device = (*self.pdev).as_ref();
        dev.as_raw()
    }

    /// Unbinds the driver, if there is one.
    fn release(&self) {
        // SAFETY: The device is registered, and this thread does not hold its lock.
        unsafe { bindings::device_release_driver(self.as_raw()) };
    }

    /// Runs `function` while the device is bound to the driver of this file.
    pub(crate) fn bind_while<R>(
        &mut self,
        function: impl FnOnce(&pci::Device<Bound>) -> Result<R>,
    ) -> Result<R> {
        // SAFETY: The name is a string, and the bus is never freed.
        let driver =
            unsafe { bindings::driver_find(NAME.as_char_ptr(), &raw const bindings::pci_bus_type) };
        // SAFETY: Driver and device are registered, and this thread does not hold the device's
        // lock.
        to_result(unsafe { bindings::device_driver_attach(driver, self.as_raw()) })?;

        let pdev: *const pci::Device = &*self.pdev;
        // SAFETY: The device is bound until it is released below.
        let result = function(unsafe { &*pdev.cast::<pci::Device<Bound>>() });
        self.release();

        result
    }
}

impl Drop for TestDevice {
    fn drop(&mut self) {
        // Lets the usual driver bind the device again. If there is none, the device stays unbound.
        // SAFETY: The device is registered, and this thread does not hold its lock.
        let _ = unsafe { bindings::device_attach(self.as_raw()) };
    }
}
