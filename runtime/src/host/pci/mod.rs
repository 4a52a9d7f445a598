// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The PCI bus. Stands for `rust/kernel/pci.rs`. C header: `include/linux/pci.h`.
//!
//! Devices are made and drivers bound by [`testing::PciDevice`](crate::testing::PciDevice). There
//! is no configuration space, and there are no interrupts.

mod id;
mod io;

pub use self::{
    id::{Class, ClassMask, Vendor},
    io::{Bar, DevresBar},
};
use crate::{
    bindings, container_of, device,
    device_id::{RawDeviceId, RawDeviceIdIndex},
    dma,
    error::to_result,
    impl_device_context_deref, impl_device_context_into_aref,
    prelude::*,
    sync::aref::AlwaysRefCounted,
    types::Opaque,
};
use core::{marker::PhantomData, mem::offset_of, ptr::NonNull};

/// An entry of a driver's table: `struct pci_device_id`.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct DeviceId(bindings::pci_device_id);

impl DeviceId {
    const ANY: bindings::pci_device_id = bindings::pci_device_id {
        vendor: bindings::PCI_ANY_ID,
        device: bindings::PCI_ANY_ID,
        subvendor: bindings::PCI_ANY_ID,
        subdevice: bindings::PCI_ANY_ID,
        class: 0,
        class_mask: 0,
        driver_data: 0,
        override_only: 0,
    };

    /// The devices with this number of a vendor: `PCI_DEVICE()`.
    #[inline]
    pub const fn from_id(vendor: Vendor, device: u32) -> Self {
        Self(bindings::pci_device_id {
            vendor: vendor.as_raw() as u32,
            device,
            ..Self::ANY
        })
    }

    /// The devices of a class: `PCI_DEVICE_CLASS()`.
    #[inline]
    pub const fn from_class(class: u32, class_mask: u32) -> Self {
        Self(bindings::pci_device_id {
            class,
            class_mask,
            ..Self::ANY
        })
    }

    /// The devices of a class by one vendor.
    #[inline]
    pub const fn from_class_and_vendor(
        class: Class,
        class_mask: ClassMask,
        vendor: Vendor,
    ) -> Self {
        Self(bindings::pci_device_id {
            vendor: vendor.as_raw() as u32,
            class: class.as_raw(),
            class_mask: class_mask.as_raw(),
            ..Self::ANY
        })
    }
}

// SAFETY: It is a transparent wrapper.
unsafe impl RawDeviceId for DeviceId {
    type RawType = bindings::pci_device_id;
}

// SAFETY: `driver_data` has the size of a pointer.
unsafe impl RawDeviceIdIndex for DeviceId {
    const DRIVER_DATA_OFFSET: usize = {
        assert!(size_of::<c_ulong>() == size_of::<*const ()>());
        offset_of!(bindings::pci_device_id, driver_data)
    };
}

/// The table of a driver. [`pci_device_table!`](crate::pci_device_table) makes one.
pub type IdTable<T> = &'static dyn crate::device_id::IdTable<DeviceId, T>;

/// Makes the table of the devices that a driver is for.
///
/// # Examples
///
/// ```
/// use kernel::pci;
///
/// kernel::pci_device_table!(
///     TABLE,
///     u32,
///     [(pci::DeviceId::from_id(pci::Vendor::REDHAT, 0x5), 42)]
/// );
///
/// const IDS: pci::IdTable<u32> = &TABLE;
/// # let _ = IDS;
/// ```
#[macro_export]
macro_rules! pci_device_table {
    ($table:ident, $info_type:ty, [$( ($id:expr, $info:expr $(,)?) ),* $(,)?]) => {
        static $table: $crate::device_id::IdArray<
            $crate::pci::DeviceId,
            $info_type,
            { <[$crate::pci::DeviceId]>::len(&[$( $id, )*]) },
        > = $crate::device_id::IdArray::new([$( ($id, &$info), )*]);
    };
}

/// A PCI driver.
pub trait Driver {
    /// The driver's information about each entry of its table.
    type IdInfo: 'static;

    /// The driver's private data, which may borrow the bound device. Dropped when the driver is
    /// unbound, before devres releases anything.
    type Data<'bound>: Send + 'bound;

    /// The devices that the driver is for.
    const ID_TABLE: IdTable<Self::IdInfo>;

    /// Called when the driver is to be bound to a device. Makes the private data.
    ///
    /// # Errors
    ///
    /// The driver is not bound then.
    fn probe<'bound>(
        dev: &'bound Device<device::Core<'_>>,
        id_info: Option<&'bound Self::IdInfo>,
    ) -> impl PinInit<Self::Data<'bound>, Error> + 'bound;

    /// Called first when the driver is unbound.
    fn unbind<'bound>(dev: &'bound Device<device::Core<'_>>, this: Pin<&Self::Data<'bound>>) {
        let _ = (dev, this);
    }
}

/// A PCI device: `struct pci_dev`.
///
/// `Ctx` says what is known about it, as for [`device::Device`].
///
/// # Invariants
///
/// It is valid, and what `Ctx` promises is true.
#[repr(transparent)]
pub struct Device<Ctx: device::DeviceContext = device::Normal>(
    Opaque<bindings::pci_dev>,
    PhantomData<Ctx>,
);

impl<Ctx: device::DeviceContext> Device<Ctx> {
    #[inline]
    fn as_raw(&self) -> *mut bindings::pci_dev {
        self.0.get()
    }

    fn raw(&self) -> &bindings::pci_dev {
        // SAFETY: By the type's invariants. Fields that change are atomic, or have locks.
        unsafe { &*self.as_raw() }
    }
}

impl Device {
    /// Returns the vendor.
    #[inline]
    pub fn vendor_id(&self) -> Vendor {
        Vendor::from_raw(self.raw().vendor)
    }

    /// Returns the vendor's number of the device.
    #[inline]
    pub fn device_id(&self) -> u16 {
        self.raw().device
    }

    /// Returns the revision.
    #[inline]
    pub fn revision_id(&self) -> u8 {
        self.raw().revision
    }

    /// Returns the vendor of the subsystem.
    #[inline]
    pub fn subsystem_vendor_id(&self) -> u16 {
        self.raw().subsystem_vendor
    }

    /// Returns the vendor's number of the subsystem.
    #[inline]
    pub fn subsystem_device_id(&self) -> u16 {
        self.raw().subsystem_device
    }

    /// Returns the class.
    #[inline]
    pub fn pci_class(&self) -> Class {
        Class::from_raw(self.raw().class)
    }

    /// Returns the size of a BAR in bytes, 0 if there is none: `pci_resource_len()`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if no device has a BAR of this number.
    pub fn resource_len(&self, bar: u32) -> Result<bindings::resource_size_t> {
        if !Bar::index_is_valid(bar) {
            return Err(EINVAL);
        }

        // SAFETY: By the type's invariants.
        Ok(unsafe { bindings::pci_resource_len(self.as_raw(), bar.try_into()?) })
    }
}

impl Device<device::Core<'_>> {
    /// Lets the device decode memory: `pci_enable_device_mem()`.
    ///
    /// # Errors
    ///
    /// None here. The kernel returns what the platform reports.
    pub fn enable_device_mem(&self) -> Result {
        // SAFETY: By the type's invariants.
        to_result(unsafe { bindings::pci_enable_device_mem(self.as_raw()) })
    }

    /// Lets the device access memory: `pci_set_master()`.
    #[inline]
    pub fn set_master(&self) {
        // SAFETY: By the type's invariants.
        unsafe { bindings::pci_set_master(self.as_raw()) };
    }
}

// SAFETY: It is where `AsRef` finds the device.
unsafe impl<Ctx: device::DeviceContext> device::AsBusDevice<Ctx> for Device<Ctx> {
    const OFFSET: usize = offset_of!(bindings::pci_dev, dev);
}

// SAFETY: It is a transparent wrapper of a `struct pci_dev` in each context.
impl_device_context_deref!(unsafe { Device });
impl_device_context_into_aref!(Device);

impl<'a> dma::Device<'a> for Device<device::Core<'a>> {}

// SAFETY: A `struct pci_dev` counts its references, and is there until the last one is put.
unsafe impl AlwaysRefCounted for Device {
    #[inline]
    fn inc_ref(&self) {
        // SAFETY: By the type's invariants.
        unsafe { bindings::pci_dev_get(self.as_raw()) };
    }

    #[inline]
    unsafe fn dec_ref(obj: NonNull<Self>) {
        // CAST: `Device` is a transparent wrapper.
        // SAFETY: The caller gives up a reference.
        unsafe { bindings::pci_dev_put(obj.cast().as_ptr()) };
    }
}

impl<Ctx: device::DeviceContext> AsRef<device::Device<Ctx>> for Device<Ctx> {
    fn as_ref(&self) -> &device::Device<Ctx> {
        // SAFETY: By the type's invariants.
        let dev = unsafe { &raw mut (*self.as_raw()).dev };
        // SAFETY: `dev` is part of a valid PCI device, for which `Ctx` holds by the type's
        // invariants.
        unsafe { device::Device::from_raw(dev) }
    }
}

/// In Linux 7.3.4 the two references have lifetimes of their own, so that the result may outlive
/// the argument. Here it may not.
impl<'a, Ctx: device::DeviceContext> TryFrom<&'a device::Device<Ctx>> for &'a Device<Ctx> {
    type Error = Error;

    /// # Errors
    ///
    /// `EINVAL` if it is no PCI device.
    fn try_from(dev: &'a device::Device<Ctx>) -> Result<Self> {
        // SAFETY: The device is valid.
        if !unsafe { bindings::dev_is_pci(dev.as_raw()) } {
            return Err(EINVAL);
        }

        // SAFETY: It is part of a `struct pci_dev`.
        let pdev = unsafe { container_of!(dev.as_raw(), bindings::pci_dev, dev) };
        // CAST: `Device` is a transparent wrapper.
        // SAFETY: It is valid for as long as `dev`, and the context is the same.
        Ok(unsafe { &*pdev.cast() })
    }
}

// SAFETY: References may be taken and put on any thread.
unsafe impl Send for Device {}
// SAFETY: All operations on a shared device have their own locks.
unsafe impl Sync for Device {}
// SAFETY: All operations on a shared device have their own locks. A bound device is bound for all
// threads.
unsafe impl Sync for Device<device::Bound> {}
