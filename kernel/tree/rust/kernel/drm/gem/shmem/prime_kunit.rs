// SPDX-License-Identifier: GPL-2.0

//! Imports as DRM requests them: from a driver that has default arguments for its objects, and from
//! a driver that does not.
//!
//! The suite does not run on the host, which has no operations for user space.

use super::{
    contract_kunit::{
        refs,
        DmaBuf,
        Gpu, //
    },
    Object,
};
use crate::{
    bindings,
    device,
    devres::kunit_support::{
        ensure,
        TestDevice, //
    },
    drm::{
        self,
        gem::{
            DriverObject,
            IntoGEMObject, //
        },
        UnregisteredDevice, //
    },
    error::from_err_ptr,
    faux,
    prelude::*,
    sync::aref::ARef, //
};
use core::ptr::{
    self,
    NonNull, //
};

/// The arguments that only [`PrimeObject::DEFAULT_ARGS`] returns.
const DEFAULT: u64 = 0x5eed_0bec;

/// A driver that has default arguments for its objects.
struct PrimeDriver;

/// The driver's part of an open file.
struct PrimeFile;

/// The driver's part of an object.
#[pin_data]
struct PrimeObject {
    args: u64,
}

impl drm::file::DriverFile for PrimeFile {
    type Driver = PrimeDriver;

    fn open(_dev: &drm::Device<PrimeDriver>) -> Result<Pin<KBox<Self>>> {
        Ok(KBox::new(Self, GFP_KERNEL)?.into())
    }
}

impl DriverObject for PrimeObject {
    type Driver = PrimeDriver;
    type Args = u64;

    const DEFAULT_ARGS: Option<fn() -> u64> = Some(|| DEFAULT);

    fn new(
        _dev: &drm::Device<PrimeDriver>,
        _size: usize,
        args: Self::Args,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self { args })
    }
}

#[vtable]
impl drm::Driver for PrimeDriver {
    type Data = ();
    type RegistrationData<'a> = ();
    type File = PrimeFile;
    type Object = Object<PrimeObject>;
    type ParentDevice<Ctx: device::DeviceContext> = faux::Device<Ctx>;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 0,
        minor: 0,
        patchlevel: 0,
        name: c"lazy-prime-kunit",
        desc: c"KUnit driver for imported objects",
    };
    const IOCTLS: &'static [drm::ioctl::DrmIoctlDescriptor] = &[];
}

/// Returns the operations of a driver.
fn operations<D: drm::Driver>(drm: &drm::Device<D>) -> &bindings::drm_driver {
    // SAFETY: The DRM device is valid.
    let driver = unsafe { (*drm.as_raw()).driver };

    // SAFETY: The operations of a driver are a constant.
    unsafe { &*driver }
}

/// Imports a buffer as `drm_gem_prime_fd_to_handle()` does. Returns a reference.
fn import<D: drm::Driver>(
    drm: &drm::Device<D>,
    buffer: &DmaBuf,
) -> Result<NonNull<bindings::drm_gem_object>> {
    let (raw, buffer) = (drm.as_raw(), buffer.as_raw());
    let obj = match operations(drm).gem_prime_import {
        // SAFETY: The DRM device and the buffer are valid.
        Some(import) => unsafe { import(raw, buffer) },
        // SAFETY: The DRM device and the buffer are valid.
        None => unsafe { bindings::drm_gem_prime_import(raw, buffer) },
    };

    NonNull::new(from_err_ptr(obj)?).ok_or(EINVAL)
}

#[kunit_tests(rust_devres_lazy_prime)]
mod tests {
    use super::*;

    /// Without default arguments, DRM makes no object, and still finds the object that a buffer was
    /// exported from.
    #[test]
    fn refused_without_default() -> Result {
        let exporter = Gpu::new()?;
        let gpu = Gpu::new()?;
        let (theirs, own) = (exporter.object()?, gpu.object()?);
        let ops = operations(&gpu.drm);
        ensure!(
            ops.dumb_create.is_none() && ops.gem_create_object.is_none(),
            "DRM makes objects"
        );

        let imported = import(&gpu.drm, &DmaBuf::export(&theirs)?);
        ensure!(imported == Err(EINVAL), "another driver's: {imported:?}");
        ensure!(refs(&theirs) == 1, "{} references", refs(&theirs));

        let found = import(&gpu.drm, &DmaBuf::export(&own)?)?;
        let is_own = ptr::eq(found.as_ptr(), own.as_raw());
        // SAFETY: The import has returned a reference.
        unsafe { bindings::drm_gem_object_put(found.as_ptr()) };
        ensure!(is_own, "the device's own buffer is another object");
        Ok(())
    }

    /// With default arguments, DRM imports an [`Object`], whose driver's part was made from the
    /// arguments.
    #[test]
    fn made_with_default() -> Result {
        let exporter = Gpu::new()?;
        let theirs = exporter.object()?;
        let dev = TestDevice::new()?;
        let drm = UnregisteredDevice::<PrimeDriver>::new(dev.bound()?, Ok::<_, Error>(()))?;
        let ops = operations(&drm);
        ensure!(
            ops.dumb_create.is_some() && ops.gem_prime_import.is_some(),
            "DRM makes no objects"
        );

        let buffer = DmaBuf::export(&theirs)?;
        let obj = import(&drm, &buffer)?;
        // SAFETY: All objects of the driver are of this type.
        let obj = unsafe { Object::<PrimeObject>::from_raw(obj.as_ptr()) };
        // SAFETY: The import has returned a reference.
        let obj = unsafe { ARef::from_raw(NonNull::from(obj)) };

        ensure!(obj.args == DEFAULT, "made of {:#x}", obj.args);
        Ok(())
    }
}
