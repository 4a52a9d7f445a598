// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The smallest DRM driver there is, for the objects of the example.

use kernel::{
    device,
    drm::{self, file::DriverFile, gem::DriverObject},
    prelude::*,
};

/// A driver without data of its own.
pub(crate) struct Driver;

#[vtable]
impl drm::Driver for Driver {
    type Data = ();
    type RegistrationData<'a> = ();
    // No test opens a file of it, so no handle of an object is made.
    type Object = drm::gem::Object<Buffer>;
    type File = File;
    type ParentDevice<Ctx: device::DeviceContext> = device::Device<Ctx>;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 0,
        minor: 0,
        patchlevel: 0,
        name: c"shmem",
        desc: c"Objects of the example",
    };
    const IOCTLS: &'static [drm::ioctl::DrmIoctlDescriptor] = &[];
}

/// An open file: nothing.
pub(crate) struct File;

impl DriverFile for File {
    type Driver = Driver;

    fn open(_: &drm::Device<Driver>) -> Result<Pin<KBox<Self>>> {
        Ok(KBox::new(Self, GFP_KERNEL)?.into())
    }
}

/// The driver's part of a GEM object: nothing.
#[pin_data]
pub(crate) struct Buffer {}

impl DriverObject for Buffer {
    type Driver = Driver;
    type Args = ();

    fn new(_: &drm::Device<Driver>, _size: usize, _args: ()) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {})
    }
}
