// SPDX-License-Identifier: Apache-2.0 OR MIT

//! DRM devices whose parent is a device of a bus.

use kernel::{
    device::{Bound, DeviceContext, Normal},
    drm::{self, file::DriverFile, gem::DriverObject},
    faux, pci,
    prelude::*,
    sync::aref::ARef,
    testing::{PciConfig, PciDevice},
};

/// A driver for devices of one bus.
macro_rules! driver {
    ($name:ident, $bus:ident) => {
        mod $name {
            use super::*;

            pub(crate) struct Driver;

            #[vtable]
            impl drm::Driver for Driver {
                type Data = u32;
                type RegistrationData<'a> = ();
                type Object = drm::gem::Object<Buffer>;
                type File = File;
                type ParentDevice<Ctx: DeviceContext> = $bus::Device<Ctx>;

                const INFO: drm::DriverInfo = drm::DriverInfo {
                    major: 0,
                    minor: 0,
                    patchlevel: 0,
                    name: c"parents",
                    desc: c"A device of a bus",
                };
                const IOCTLS: &'static [drm::ioctl::DrmIoctlDescriptor] = &[];
            }

            pub(crate) struct File;

            impl DriverFile for File {
                type Driver = Driver;

                fn open(_: &drm::Device<Driver>) -> Result<Pin<KBox<Self>>> {
                    Ok(KBox::new(Self, GFP_KERNEL)?.into())
                }
            }

            #[pin_data]
            pub(crate) struct Buffer {}

            impl DriverObject for Buffer {
                type Driver = Driver;
                type Args = ();

                fn new(_: &drm::Device<Driver>, _: usize, _: ()) -> impl PinInit<Self, Error> {
                    try_pin_init!(Self {})
                }
            }
        }
    };
}

driver!(on_faux, faux);
driver!(on_pci, pci);

#[test]
fn a_faux_device() -> Result {
    let parent = faux::Registration::new(c"parent0", None)?;
    let dev: &faux::Device<Bound> = parent.as_ref();
    let drm = drm::UnregisteredDevice::<on_faux::Driver>::new(dev, Ok(5))?;

    let found: &faux::Device<Normal> = (*drm).as_ref();
    assert_eq!(found.as_ref().as_raw(), dev.as_ref().as_raw());
    // The DRM device keeps its parent, which is unbound meanwhile.
    let kept: ARef<drm::Device<on_faux::Driver>> = (&*drm).into();
    drop((drm, parent));
    let found: &faux::Device<Normal> = (*kept).as_ref();
    assert_eq!((found.as_ref().name(), **kept), (c"parent0", 5));
    Ok(())
}

#[test]
fn a_pci_device() -> Result {
    let config = PciConfig::new(pci::Vendor::REDHAT, 5);
    let mut parent = PciDevice::new(c"0000:00:04.0", config)?;
    let bound = parent.bind()?;
    let drm = drm::UnregisteredDevice::<on_pci::Driver>::new(&bound, Ok(5))?;

    let found: &pci::Device<Normal> = (*drm).as_ref();
    assert_eq!(found.device_id(), 5);

    // SAFETY: The registration is dropped before the device is unbound.
    let registration =
        unsafe { drm::Registration::new((*bound).as_ref(), drm, Ok::<_, Error>(()), 0)? };
    // SAFETY: The DRM device is registered.
    let ioctl: &drm::Device<on_pci::Driver, drm::Ioctl> =
        unsafe { drm::Device::from_raw(registration.device().as_raw()) };
    let guard = ioctl.registration_guard().ok_or(ENODEV)?;
    let found: &pci::Device<Bound> = (*guard).as_ref();
    assert_eq!(found.vendor_id(), pci::Vendor::REDHAT);
    drop(guard);
    drop(registration);
    Ok(())
}
