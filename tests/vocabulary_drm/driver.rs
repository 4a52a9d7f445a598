// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A DRM driver that counts its events.

use kernel::{
    device::{Bound, Device, DeviceContext},
    drm::{self, file::DriverFile, gem::DriverObject},
    prelude::*,
};
use std::sync::{
    atomic::{AtomicI32, AtomicU32, Ordering::Relaxed},
    Arc,
};

/// The events, shared by all parts of one DRM device.
#[derive(Default)]
pub(crate) struct Seen {
    /// Files that are open.
    pub(crate) files: AtomicI32,
    /// The number of handles.
    pub(crate) handles: AtomicI32,
    /// Drops of registration data.
    pub(crate) unregistered: AtomicU32,
    /// The errno that opening anything returns.
    pub(crate) refuse: AtomicI32,
}

impl Seen {
    fn refuse(&self) -> Result {
        match self.refuse.load(Relaxed) {
            0 => Ok(()),
            errno => Err(Error::from_errno(errno)),
        }
    }
}

/// The driver.
pub(crate) struct Gpu;

#[vtable]
impl drm::Driver for Gpu {
    type Data = Arc<Seen>;
    type RegistrationData<'a> = Registers<'a>;
    type Object = drm::gem::Object<Buffer>;
    type File = Client;
    type ParentDevice<Ctx: DeviceContext> = Device<Ctx>;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 0,
        minor: 0,
        patchlevel: 0,
        name: c"gpu",
        desc: c"Counts",
    };
    const IOCTLS: &'static [drm::ioctl::DrmIoctlDescriptor] = &[];
}

/// The driver's data while it is registered, which borrows the bound device.
pub(crate) struct Registers<'a> {
    pub(crate) dev: &'a Device<Bound>,
    pub(crate) value: u32,
    pub(crate) seen: Arc<Seen>,
}

impl Drop for Registers<'_> {
    fn drop(&mut self) {
        self.seen.unregistered.fetch_add(1, Relaxed);
    }
}

/// An open file.
pub(crate) struct Client(Arc<Seen>);

impl DriverFile for Client {
    type Driver = Gpu;

    fn open(drm: &drm::Device<Gpu>) -> Result<Pin<KBox<Self>>> {
        drm.refuse()?;
        drm.files.fetch_add(1, Relaxed);
        Ok(KBox::new(Self(Arc::clone(drm)), GFP_KERNEL)?.into())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Handles go before the file.
        assert_eq!(self.0.handles.load(Relaxed), 0);
        self.0.files.fetch_sub(1, Relaxed);
    }
}

/// The driver's part of a buffer.
#[pin_data]
pub(crate) struct Buffer {
    pub(crate) number: u32,
}

impl DriverObject for Buffer {
    type Driver = Gpu;
    type Args = u32;

    fn new(_: &drm::Device<Gpu>, _: usize, number: u32) -> impl PinInit<Self, Error> {
        try_pin_init!(Self { number })
    }

    fn open(obj: &drm::gem::Object<Self>, _: &drm::File<Client>) -> Result {
        obj.dev().refuse()?;
        obj.dev().handles.fetch_add(1, Relaxed);
        Ok(())
    }

    fn close(obj: &drm::gem::Object<Self>, _: &drm::File<Client>) {
        obj.dev().handles.fetch_sub(1, Relaxed);
    }
}

/// A DRM device that is not registered.
pub(crate) fn gpu(dev: &Device<Bound>) -> Result<(drm::UnregisteredDevice<Gpu>, Arc<Seen>)> {
    let seen = Arc::<Seen>::default();

    Ok((drm::UnregisteredDevice::new(dev, Ok(seen.clone()))?, seen))
}

/// Registers the DRM device.
///
/// # Safety
///
/// The result is dropped before `'a` ends.
pub(crate) unsafe fn register<'a>(
    dev: &'a Device<Bound>,
    drm: drm::UnregisteredDevice<Gpu>,
) -> Result<drm::Registration<'a, Gpu>> {
    let registers = Registers {
        dev,
        value: 42,
        seen: Arc::clone(&drm),
    };

    // SAFETY: The caller drops the registration before `'a` ends.
    unsafe { drm::Registration::new(dev, drm, Ok::<_, Error>(registers), 0) }
}
