// SPDX-License-Identifier: Apache-2.0 OR MIT

//! PCI devices that tests make, and their drivers.

use crate::{
    bindings,
    device::{self, Bound, Core},
    device_id::RawDeviceIdIndex,
    io::{Region, SysMem},
    pci::{self, Class, Vendor},
    prelude::*,
    sync::aref::ARef,
    testing::{Binding, Driver, TestDevice},
};
use core::{ops::Deref, ptr::NonNull};

/// A PCI device that a test makes, and binds drivers to: a [`TestDevice`] with BARs.
///
/// # Examples
///
/// ```
/// use kernel::{
///     io::Io,
///     pci::Vendor,
///     prelude::*,
///     testing::{PciConfig, PciDevice},
/// };
///
/// let config = PciConfig::new(Vendor::REDHAT, 0x5).bar(0, &[1, 2, 3, 4, 5, 6, 7, 8]);
/// let mut testdev = PciDevice::new(c"0000:00:04.0", config)?;
///
/// let bound = testdev.bind()?;
/// let bar = bound.iomap_region_sized::<8>(0, c"test")?;
/// assert_eq!(bar.read32(4), 0x0807_0605);
/// # Ok::<(), Error>(())
/// ```
pub struct PciDevice(TestDevice);

/// The configuration of a [`PciDevice`].
#[must_use = "it describes a device, and makes none"]
#[derive(Default)]
pub struct PciConfig(bindings::PciConfig);

impl PciConfig {
    /// A device with this number of a vendor, without class, subsystem and BARs.
    pub fn new(vendor: Vendor, device: u16) -> Self {
        Self(bindings::PciConfig {
            vendor: vendor.as_raw(),
            device,
            ..Default::default()
        })
    }

    /// Gives the device a class.
    pub fn class(mut self, class: Class) -> Self {
        self.0.class = class.as_raw();
        self
    }

    /// Gives the device a revision.
    pub fn revision(mut self, revision: u8) -> Self {
        self.0.revision = revision;
        self
    }

    /// Gives the device a subsystem.
    pub fn subsystem(mut self, vendor: Vendor, device: u16) -> Self {
        self.0.subsystem_vendor = vendor.as_raw();
        self.0.subsystem_device = device;
        self
    }

    /// Gives the device a BAR with these bytes in it.
    ///
    /// # Panics
    ///
    /// If `num` is more than 5, or there are no bytes, or their number is not a multiple of 8.
    #[track_caller]
    pub fn bar(mut self, num: usize, bytes: &[u8]) -> Self {
        assert!(
            num < bindings::PCI_STD_NUM_BARS,
            "a PCI device has the BARs 0 to 5"
        );
        assert!(
            bytes.len() % 8 == 0 && !bytes.is_empty(),
            "the size of a BAR is a multiple of 8, and not 0"
        );

        self.0.bars[num] = bytes
            .chunks_exact(8)
            .filter_map(|word| word.try_into().ok())
            .map(bindings::AtomicBytes::new)
            .collect();
        self
    }
}

impl PciDevice {
    /// Makes a device, which no driver is bound to.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there is no memory.
    ///
    /// # Context
    ///
    /// May sleep.
    pub fn new(name: &CStr, config: PciConfig) -> Result<Self> {
        let pdev = NonNull::new(bindings::pci_alloc_dev(name, config.0)).ok_or(ENOMEM)?;

        // CAST: The `struct device` is the first field of the `struct pci_dev`.
        // SAFETY: This is the reference that the device was made with.
        let dev: ARef<device::Device> = unsafe { ARef::from_raw(pdev.cast()) };
        Ok(Self(TestDevice::of(dev)))
    }

    /// Binds a driver that does nothing, for as long as the result exists.
    ///
    /// # Errors
    ///
    /// As for [`TestDevice::bind()`].
    ///
    /// # Context
    ///
    /// May sleep.
    #[track_caller]
    pub fn bind(&mut self) -> Result<PciBinding<'_>> {
        Ok(PciBinding(self.0.bind()?))
    }

    /// Binds a driver, for as long as the result exists.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the device is not in the driver's table, and those of [`TestDevice::probe()`].
    ///
    /// # Context
    ///
    /// May sleep.
    #[track_caller]
    pub fn probe<D: pci::Driver + 'static>(&mut self) -> Result<PciBinding<'_, DriverData<D>>> {
        self.attach::<D, _>(c"test", |data| data, |data| Some(data))
    }

    /// Binds a driver. Its private data is kept in a `T`, made by `keep`, in which `data` finds it.
    #[track_caller]
    pub(super) fn attach<D: pci::Driver + 'static, T: Send + 'static>(
        &mut self,
        name: &CStr,
        keep: fn(DriverData<D>) -> T,
        data: fn(&T) -> Option<&DriverData<D>>,
    ) -> Result<PciBinding<'_, T>> {
        let pdev: *const bindings::pci_dev = self.0.device().as_raw().cast();
        // SAFETY: A driver's table ends with zeroes, and the device is valid.
        let id = unsafe { bindings::pci_match_id(D::ID_TABLE.as_ptr(), pdev) };
        // CAST: A `DeviceId` is a transparent wrapper.
        // SAFETY: An entry is in a static.
        let id = unsafe { id.cast::<pci::DeviceId>().as_ref() }.ok_or(ENODEV)?;
        // SAFETY: It is in a table with infos of this type.
        let info = unsafe { id.info_unchecked_opt::<D::IdInfo>() };

        let driver = Driver::new(move |dev: &device::Device<Core<'_>>| {
            let pdev: &pci::Device<Core<'_>> = dev.try_into()?;
            let data = KBox::pin_init(D::probe(pdev, info), GFP_KERNEL)?;
            // SAFETY: It stays pinned.
            let data = KBox::into_raw(unsafe { Pin::into_inner_unchecked(data) });
            // SAFETY: The pointer of a box is not null.
            let data = unsafe { NonNull::new_unchecked(data) };

            // INVARIANT: It comes from a box.
            Ok(keep(DriverData(data.cast())))
        })
        .name(name)
        .unbind(move |dev, kept: Pin<&T>| {
            // It was a PCI device when the driver was bound, with this data.
            if let (Ok(pdev), Some(data)) = (dev.try_into(), data(kept.get_ref())) {
                // SAFETY: The device is bound for as long as the reference to it.
                D::unbind(pdev, unsafe { data.of() });
            }
        });
        Ok(PciBinding(self.0.attach(driver)?))
    }

    /// Returns a reference to the device, which may be kept.
    pub fn device(&self) -> ARef<pci::Device> {
        // SAFETY: The device is valid.
        let pdev = unsafe { self.raw().cast::<pci::Device>().as_ref() };
        pdev.into()
    }

    /// Lets the device reach addresses of up to `bits` bits by DMA: see
    /// [`TestDevice::set_dma_mask()`].
    pub fn set_dma_mask(&self, bits: u32) {
        self.0.set_dma_mask(bits);
    }

    /// Returns the name that a BAR was requested under, and the number of its mappings. [`None`]
    /// for a BAR that no device has.
    pub fn bar_users(&self, num: usize) -> Option<(Option<std::ffi::CString>, usize)> {
        // SAFETY: The device is valid.
        unsafe { self.raw().as_ref() }.bar_users(num)
    }

    fn raw(&self) -> NonNull<bindings::pci_dev> {
        raw(&self.0.device())
    }
}

/// The `struct pci_dev` around a device of this file.
fn raw(dev: &device::Device) -> NonNull<bindings::pci_dev> {
    // CAST: The `struct device` is the first field.
    // SAFETY: A device is not null.
    unsafe { NonNull::new_unchecked(dev.as_raw().cast()) }
}

/// The private data of the driver `D`.
///
/// # Invariants
///
/// It comes from a pinned box, which this owns. It may borrow the device while that is bound.
pub struct DriverData<D: pci::Driver>(NonNull<D::Data<'static>>);

// SAFETY: The data is `Send`.
unsafe impl<D: pci::Driver> Send for DriverData<D> {}

impl<D: pci::Driver> DriverData<D> {
    /// Returns the data, with a lifetime of the caller's.
    ///
    /// # Safety
    ///
    /// The device is bound during `'x`, and whoever gets the data works with any such lifetime.
    unsafe fn of<'x>(&self) -> Pin<&D::Data<'x>> {
        // SAFETY: By the type's invariants, and the caller promises the lifetime.
        let data = unsafe { self.0.cast().as_ref() };

        // SAFETY: It is pinned.
        unsafe { Pin::new_unchecked(data) }
    }
}

impl<D: pci::Driver> Drop for DriverData<D> {
    fn drop(&mut self) {
        // SAFETY: By the type's invariants.
        drop(unsafe { KBox::from_raw(self.0.as_ptr()) });
    }
}

/// The time during which a driver is bound to a [`PciDevice`]: see [`Binding`].
///
/// It dereferences to the bound PCI device. Dropping it unbinds the driver.
pub struct PciBinding<'a, T = ()>(Binding<'a, T>);

impl<T> PciBinding<'_, T> {
    /// The memory of a BAR, as the device has it: for a test that plays the device.
    ///
    /// [`None`] if the device has no such BAR.
    pub fn bar(&self, num: usize) -> Option<SysMem<'_, Region>> {
        // SAFETY: The device is valid.
        let (memory, len) = unsafe { raw(&self.0).as_ref() }.bar_memory(num)?;

        // SAFETY: The memory is there as long as the device, aligned, and accessed by atomics.
        Some(unsafe { SysMem::new(Region::ptr_from_raw_parts_mut(memory, len)) })
    }

    /// Whether `enable_device_mem()` and `set_master()` were called.
    pub fn is_enabled(&self) -> (bool, bool) {
        // SAFETY: The device is valid.
        unsafe { raw(&self.0).as_ref() }.is_enabled()
    }

    /// Unbinds the driver, as dropping this does.
    pub fn unbind(self) {}
}

impl<D: pci::Driver + 'static> PciBinding<'_, DriverData<D>> {
    /// Runs `f` on the driver's private data.
    pub fn data_with<R>(&self, f: impl for<'x> FnOnce(Pin<&'x D::Data<'x>>) -> R) -> R {
        // SAFETY: The device is bound while `self` is borrowed, and `f` works with any lifetime.
        f(unsafe { self.0.data().of() })
    }
}

impl<T> Deref for PciBinding<'_, T> {
    type Target = pci::Device<Bound>;

    fn deref(&self) -> &pci::Device<Bound> {
        // SAFETY: The device is bound for as long as `self` is borrowed.
        unsafe { raw(&self.0).cast().as_ref() }
    }
}
