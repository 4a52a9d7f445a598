// SPDX-License-Identifier: Apache-2.0 OR MIT

//! DRM drivers, and the registration of their devices. Stands for `rust/kernel/drm/driver.rs`. C
//! header: `include/drm/drm_drv.h`.

use crate::{bindings, device, drm, error::to_result, prelude::*, sync::aref::ARef};
use core::ptr::NonNull;

/// GEM objects are used: `DRIVER_GEM`.
pub(crate) const FEAT_GEM: u32 = bindings::drm_driver_feature_DRIVER_GEM;

/// There are render nodes: `DRIVER_RENDER`.
pub(crate) const FEAT_RENDER: u32 = bindings::drm_driver_feature_DRIVER_RENDER;

/// The name, description and version of a driver.
pub struct DriverInfo {
    /// Major version.
    pub major: i32,
    /// Minor version.
    pub minor: i32,
    /// Patch level.
    pub patchlevel: i32,
    /// Name.
    pub name: &'static CStr,
    /// Description.
    pub desc: &'static CStr,
}

/// A memory manager: a type of GEM objects that drivers can use.
///
/// It has no `ALLOC_OPS` here: these are functions to import, export and create objects for user
/// space.
///
/// Only the `kernel` crate implements it there.
pub trait AllocImpl: drm::gem::IntoGEMObject {
    /// The driver that uses it.
    type Driver: drm::Driver;
}

/// A DRM driver: `struct drm_driver`.
///
/// # Examples
///
/// ```
/// use kernel::{device, drm, prelude::*};
///
/// /// The driver's part of a buffer.
/// #[pin_data]
/// struct Buffer {}
///
/// impl drm::gem::DriverObject for Buffer {
///     type Driver = Gpu;
///     type Args = ();
///
///     fn new(_: &drm::Device<Gpu>, _size: usize, _: ()) -> impl PinInit<Self, Error> {
///         try_pin_init!(Self {})
///     }
/// }
///
/// /// An open file.
/// struct File;
///
/// impl drm::file::DriverFile for File {
///     type Driver = Gpu;
///
///     fn open(_: &drm::Device<Gpu>) -> Result<Pin<KBox<Self>>> {
///         Ok(KBox::new(Self, GFP_KERNEL)?.into())
///     }
/// }
///
/// struct Gpu;
///
/// #[vtable]
/// impl drm::Driver for Gpu {
///     type Data = u32;
///     type RegistrationData<'a> = ();
///     type Object = drm::gem::Object<Buffer>;
///     type File = File;
///     type ParentDevice<Ctx: device::DeviceContext> = device::Device<Ctx>;
///
///     const INFO: drm::DriverInfo = drm::DriverInfo {
///         major: 1,
///         minor: 0,
///         patchlevel: 0,
///         name: c"gpu",
///         desc: c"An example",
///     };
///     const IOCTLS: &'static [drm::ioctl::DrmIoctlDescriptor] = &[];
/// }
/// ```
///
/// An implementation without `#[vtable]` does not compile, of this and of any other such trait:
///
/// ```compile_fail,E0046
/// use kernel::prelude::*;
///
/// #[vtable]
/// trait Operations {
///     fn open(&self);
/// }
///
/// struct Gpu;
///
/// impl Operations for Gpu {
///     fn open(&self) {}
/// }
/// ```
#[vtable]
pub trait Driver {
    /// The driver's data in its [`Device`](drm::Device). Dropped with the last reference to the
    /// device.
    ///
    /// It must not own objects of its own device that hold a reference to the device, as shmem
    /// objects do: that is a cycle of references, which is never freed.
    /// [`RegistrationData`](Self::RegistrationData) is the place for such objects.
    type Data: Sync + Send;

    /// The data that the [`Registration`] owns, for as long as the device is registered. Reached by
    /// [`Device::registration_data_with()`](drm::Device::registration_data_with).
    ///
    /// The lifetime is that of the registration, which the parent device is bound for.
    type RegistrationData<'a>: Send + Sync + 'a;

    /// The type of its GEM objects.
    type Object: AllocImpl;

    /// The type of its open files.
    type File: drm::file::DriverFile;

    /// The type of the device that the DRM device belongs to.
    ///
    /// On the host also [`device::Device`] itself, which has no bus.
    type ParentDevice<Ctx: device::DeviceContext>: device::AsBusDevice<Ctx>;

    /// The driver's name, description and version.
    const INFO: DriverInfo;

    /// Its ioctls.
    const IOCTLS: &'static [drm::ioctl::DrmIoctlDescriptor];

    /// Whether it has render nodes.
    const FEAT_RENDER: bool = false;
}

/// The registration of a DRM device. Dropping it unregisters the device: `drm_dev_unplug()`.
///
/// Dropping waits for all [`RegistrationGuard`](drm::RegistrationGuard)s, and drops the
/// registration data after that. So it may sleep.
pub struct Registration<'a, T: Driver> {
    // As in Linux 7.3.4, the device goes before the data.
    drm: ARef<drm::Device<T>>,
    _reg_data: Pin<KBox<T::RegistrationData<'a>>>,
}

impl<'a, T: Driver> Registration<'a, T> {
    /// Registers a device: `drm_dev_register()`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `dev` is not the parent of `drm`, `ENOMEM`, or what `reg_data` fails with. The
    /// DRM device is then given up.
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Safety
    ///
    /// The destructor of the registration has to run before `'a` ends: it must not be forgotten, as
    /// its data may borrow what is gone then.
    pub unsafe fn new<E>(
        dev: &'a device::Device<device::Bound>,
        drm: drm::UnregisteredDevice<T>,
        reg_data: impl PinInit<T::RegistrationData<'a>, E>,
        flags: usize,
    ) -> Result<Self>
    where
        Error: From<E>,
    {
        if drm.parent().as_raw() != dev.as_raw() {
            return Err(EINVAL);
        }

        let reg_data: Pin<KBox<T::RegistrationData<'a>>> = KBox::pin_init(reg_data, GFP_KERNEL)?;
        let data = NonNull::from(Pin::get_ref(reg_data.as_ref())).cast();
        // SAFETY: The device is not registered yet, and an unregistered one has one user.
        unsafe { *drm.registration_data.get() = data };

        // SAFETY: The device is alive, and is not registered.
        // CAST: The flags are a C `unsigned long`.
        let ret = unsafe { bindings::drm_dev_register(drm.as_raw(), flags as c_ulong) };
        if let Err(error) = to_result(ret) {
            // SAFETY: Registering has failed, and an unregistered device has one user.
            unsafe { *drm.registration_data.get() = NonNull::dangling() };
            return Err(error);
        }

        Ok(Self {
            drm: (&*drm).into(),
            _reg_data: reg_data,
        })
    }

    /// Returns the device.
    pub fn device(&self) -> &drm::Device<T> {
        &self.drm
    }
}

// SAFETY: A shared registration only gives access to the device, which is `Sync`.
unsafe impl<T: Driver> Sync for Registration<'_, T> {}

// SAFETY: A device can be unregistered on any thread, and the data is `Send`.
unsafe impl<T: Driver> Send for Registration<'_, T> {}

impl<T: Driver> Drop for Registration<'_, T> {
    fn drop(&mut self) {
        // SAFETY: `self` has a reference to the device.
        unsafe { bindings::drm_dev_unplug(self.drm.as_raw()) };
    }
}
