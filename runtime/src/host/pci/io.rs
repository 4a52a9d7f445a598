// SPDX-License-Identifier: Apache-2.0 OR MIT

//! BARs. Stands for `rust/kernel/pci/io.rs`.

use super::Device;
use crate::{
    bindings,
    device::Bound,
    devres::DevresLt,
    io::{IoBase, Mmio, MmioBackend, MmioRaw, Region},
    prelude::*,
    types::{CovariantForLt, ForLt},
};
use core::ptr;

/// A BAR that is mapped, of which at least `SIZE` bytes are known. Dropping it unmaps and releases
/// the BAR.
///
/// It is read and written by [`Io`](crate::io::Io).
///
/// # Invariants
///
/// `io` is where the BAR `num` of `pdev` is mapped, requested by this.
pub struct Bar<'a, const SIZE: usize = 0> {
    pdev: &'a Device<Bound>,
    io: MmioRaw<Region<SIZE>>,
    num: c_int,
}

impl<const SIZE: usize> ForLt for Bar<'static, SIZE> {
    type Of<'a> = Bar<'a, SIZE>;
}

// SAFETY: It has a reference, and nothing else with the lifetime.
unsafe impl<const SIZE: usize> CovariantForLt for Bar<'static, SIZE> {}

/// A BAR that unbind unmaps: see [`Bar::into_devres()`].
pub type DevresBar<const SIZE: usize = 0> = DevresLt<Bar<'static, SIZE>>;

impl<'a, const SIZE: usize> Bar<'a, SIZE> {
    fn new(pdev: &'a Device<Bound>, num: u32, name: &'static CStr) -> Result<Self> {
        let len = pdev.resource_len(num)?;
        if len == 0 {
            return Err(ENOMEM);
        }
        let num = c_int::try_from(num)?;

        // SAFETY: The device is valid, and the name is a C string.
        if unsafe { bindings::pci_request_region(pdev.as_raw(), num, name.as_ptr()) } != 0 {
            return Err(EBUSY);
        }
        // SAFETY: The device is valid.
        let addr = unsafe { bindings::pci_iomap(pdev.as_raw(), num, 0) };
        if addr.is_null() {
            // SAFETY: The device is valid, and the BAR was requested above.
            unsafe { bindings::pci_release_region(pdev.as_raw(), num) };
            return Err(ENOMEM);
        }

        match MmioRaw::new_region(addr.expose_provenance(), len.try_into()?) {
            // INVARIANT: It was requested and mapped above.
            Ok(io) => Ok(Self { pdev, io, num }),
            Err(error) => {
                release(pdev, addr, num);
                Err(error)
            }
        }
    }

    /// Hands the BAR over to devres: unbind unmaps it, and the result may be kept beyond that.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; the BAR is unmapped then.
    ///
    /// # Context
    ///
    /// May sleep.
    #[track_caller]
    pub fn into_devres(self) -> Result<DevresBar<SIZE>> {
        let pdev = self.pdev;

        // SAFETY: It borrows nothing but the bound device, and is mapped until it is dropped.
        unsafe { DevresLt::new(pdev.as_ref(), self) }
    }
}

impl Bar<'_> {
    #[inline]
    pub(super) fn index_is_valid(index: u32) -> bool {
        index < bindings::PCI_NUM_RESOURCES
    }
}

/// Unmaps and releases a BAR.
fn release(pdev: &Device, addr: *mut c_void, num: c_int) {
    // SAFETY: The device is valid, and the caller was the last user of the BAR.
    unsafe { bindings::pci_iounmap(pdev.as_raw(), addr) };
    // SAFETY: The device is valid.
    unsafe { bindings::pci_release_region(pdev.as_raw(), num) };
}

impl<const SIZE: usize> Drop for Bar<'_, SIZE> {
    fn drop(&mut self) {
        let addr = ptr::with_exposed_provenance_mut(self.io.addr());

        release(self.pdev, addr, self.num);
    }
}

impl<'a, const SIZE: usize> IoBase<'a> for &'a Bar<'_, SIZE> {
    type Backend = MmioBackend;
    type Target = Region<SIZE>;

    #[inline]
    fn as_view(self) -> Mmio<'a, Region<SIZE>> {
        // SAFETY: By the type's invariants it is mapped for `'a`.
        unsafe { Mmio::from_raw(self.io) }
    }
}

impl Device<Bound> {
    /// Requests a BAR and maps all of it, of which at least `SIZE` bytes can be accessed at
    /// constant offsets.
    ///
    /// # Errors
    ///
    /// - `EINVAL` if no device has a BAR of this number, or if this one is smaller than `SIZE`.
    /// - `ENOMEM` if the device has no such BAR, or there is no memory.
    /// - `EBUSY` if the BAR is reserved already.
    ///
    /// # Context
    ///
    /// May sleep.
    pub fn iomap_region_sized<'a, const SIZE: usize>(
        &'a self,
        bar: u32,
        name: &'static CStr,
    ) -> Result<Bar<'a, SIZE>> {
        Bar::new(self, bar, name)
    }

    /// Requests a BAR and maps all of it.
    ///
    /// # Errors
    ///
    /// As for [`iomap_region_sized()`](Self::iomap_region_sized).
    ///
    /// # Context
    ///
    /// May sleep.
    pub fn iomap_region<'a>(&'a self, bar: u32, name: &'static CStr) -> Result<Bar<'a>> {
        self.iomap_region_sized::<0>(bar, name)
    }
}
