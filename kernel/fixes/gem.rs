// SPDX-License-Identifier: GPL-2.0

//! A GEM object keeps its DRM device: what is added to `rust/kernel/drm/gem/mod.rs`. Each part is
//! taken from here by name: the documentation and the field of `Object`, and the tests.

/// * `drm` is the DRM device that `obj` was initialised with.
///
/// # Cycles
///
/// The object holds a reference to its DRM device. If [`drm::Driver::Data`] owns objects of its own
/// device, device and objects form a cycle of references and are never freed. Such objects belong
/// in [`drm::Driver::RegistrationData`], which is dropped when the device is unbound.
struct Object<T: DriverObject> {
    /// The DRM device, which `drm_gem_object_release()` reads: a GEM object holds no reference to
    /// `obj->dev`. The last field, since fields are dropped in the order of declaration.
    drm: ARef<drm::Device<T::Driver>>,
}

#[kunit_tests(rust_drm_gem)]
mod tests {
    use super::*;
    use crate::{
        device,
        drm::UnregisteredDevice,
        faux, //
    };

    // The least that makes a DRM driver.

    struct KunitDriver;
    struct KunitFile;
    #[pin_data]
    struct KunitObject {}

    impl drm::file::DriverFile for KunitFile {
        type Driver = KunitDriver;

        fn open(_dev: &drm::Device<KunitDriver>) -> Result<Pin<KBox<Self>>> {
            Ok(KBox::new(Self, GFP_KERNEL)?.into())
        }
    }

    impl DriverObject for KunitObject {
        type Driver = KunitDriver;
        type Args = ();

        fn new(
            _dev: &drm::Device<KunitDriver>,
            _size: usize,
            _args: Self::Args,
        ) -> impl PinInit<Self, Error> {
            try_pin_init!(Self {})
        }
    }

    #[vtable]
    impl drm::Driver for KunitDriver {
        type Data = ();
        type RegistrationData<'a> = ();
        type File = KunitFile;
        type Object = Object<KunitObject>;
        type ParentDevice<Ctx: device::DeviceContext> = faux::Device<Ctx>;

        const INFO: drm::DriverInfo = drm::DriverInfo {
            major: 0,
            minor: 0,
            patchlevel: 0,
            name: c"kunit-gem",
            desc: c"KUnit",
        };
        const IOCTLS: &'static [drm::ioctl::DrmIoctlDescriptor] = &[];
    }

    // The release of an object reads its DRM device, so the object has to keep that.
    #[test]
    fn object_keeps_drm_device() -> Result {
        let reg = faux::Registration::new(c"KunitGem", None)?;
        let drm = UnregisteredDevice::<KunitDriver>::new(reg.as_ref(), Ok::<_, Error>(()))?;
        let raw = drm.as_raw();
        // SAFETY: The device has a reference, `drm` or that of an object, and no other thread
        // changes the count.
        let refs = || unsafe { (*raw).ref_.refcount.refs.counter };

        let before = refs();
        let obj = Object::<KunitObject>::new(&drm, crate::page::PAGE_SIZE, ())?;
        let with_object = refs();
        drop(obj);
        let after = refs();

        if with_object > before {
            // An object may be the last that has a reference to the device.
            let obj = Object::<KunitObject>::new(&drm, crate::page::PAGE_SIZE, ())?;
            drop(drm);
            drop(obj);
        } else {
            drop(drm);
        }
        drop(reg);

        assert_eq!(with_object, before + 1);
        assert_eq!(after, before);
        Ok(())
    }
}
