// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Tests of DRM devices and of what objects have in common.

use super::{
    file::DriverFile,
    gem::{BaseObject, BaseObjectPrivate, DriverObject, IntoGEMObject, Object},
    *,
};
use crate::{
    bindings::{self, collect_warnings},
    device,
    page::PAGE_SIZE,
    prelude::*,
    sync::aref::ARef,
    testing::{fail_nth, TestDevice},
};
use std::{
    panic::{catch_unwind, AssertUnwindSafe},
    sync::Arc,
};

struct Gpu;

#[vtable]
impl Driver for Gpu {
    type Data = Arc<&'static str>;
    type RegistrationData<'a> = ();
    type Object = Object<Buffer>;
    type File = Client;
    type ParentDevice<Ctx: device::DeviceContext> = device::Device<Ctx>;

    const INFO: DriverInfo = DriverInfo {
        major: 1,
        minor: 2,
        patchlevel: 3,
        name: c"gpu",
        desc: c"A test",
    };
    const IOCTLS: &'static [ioctl::DrmIoctlDescriptor] = &[];
    const FEAT_RENDER: bool = true;
}

struct Client;

impl DriverFile for Client {
    type Driver = Gpu;

    fn open(_: &Device<Gpu>) -> Result<Pin<KBox<Self>>> {
        Ok(KBox::new(Self, GFP_KERNEL)?.into())
    }
}

#[pin_data]
struct Buffer {
    dropped: Arc<()>,
}

impl DriverObject for Buffer {
    type Driver = Gpu;
    type Args = Arc<()>;

    fn new(_: &Device<Gpu>, _: usize, dropped: Arc<()>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self { dropped })
    }
}

fn new(
    dev: &device::Device<device::Bound>,
    data: impl PinInit<Arc<&'static str>, Error>,
) -> Result<ARef<Device<Gpu>>> {
    Ok(ARef::from(&*UnregisteredDevice::<Gpu>::new(dev, data)?))
}

#[test]
fn the_driver_is_described() {
    let mut dev = TestDevice::new(c"gpu0").unwrap();
    let bound = dev.bind().unwrap();
    let drm = new(&bound, Ok(Arc::new("data"))).unwrap();

    // SAFETY: The device is alive.
    let driver = unsafe { (*drm.as_raw()).driver };
    // SAFETY: A driver is valid while it is set.
    let driver = unsafe { &*driver };
    assert_eq!((driver.major, driver.minor, driver.patchlevel), (1, 2, 3));
    // SAFETY: The name is a C string.
    assert_eq!(unsafe { CStr::from_ptr(driver.name) }, c"gpu");
    // SAFETY: The description is a C string.
    assert_eq!(unsafe { CStr::from_ptr(driver.desc) }, c"A test");
    assert_eq!(
        driver.driver_features,
        bindings::drm_driver_feature_DRIVER_GEM | bindings::drm_driver_feature_DRIVER_RENDER
    );
    assert_eq!(driver.num_ioctls, 0);
}

#[test]
fn data_goes_with_the_last_reference() {
    let mut dev = TestDevice::new(c"gpu0").unwrap();
    let data = Arc::new("data");
    let parent = dev.device();
    let bound = dev.bind().unwrap();

    let drm = new(&bound, Ok(data.clone())).unwrap();
    let other = drm.clone();
    let device: &device::Device = (*drm).as_ref();
    assert_eq!(device.as_raw(), parent.as_raw());
    drop(drm);
    assert_eq!(**other, data);
    drop(other);
    assert_eq!(Arc::strong_count(&data), 1);
}

#[test]
fn a_failed_device_leaves_nothing() {
    let mut dev = TestDevice::new(c"gpu0").unwrap();
    let bound = dev.bind().unwrap();
    let data = Arc::new("data");

    let fault = fail_nth(1);
    let result = new(&bound, Ok(data.clone()));
    assert_eq!(result.err(), Some(ENOMEM));
    drop(fault);
    assert_eq!(Arc::strong_count(&data), 1);

    // SAFETY: An initialiser may fail at once.
    let failing = unsafe { crate::pin_init::pin_init_from_closure(|_| Err(EIO)) };
    assert_eq!(new(&bound, failing).err(), Some(EIO));

    // SAFETY: Or not come back.
    let panicking = unsafe { crate::pin_init::pin_init_from_closure(|_| panic!("init")) };
    let caught = catch_unwind(AssertUnwindSafe(|| new(&bound, panicking).is_ok()));
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"init"));
}

#[test]
fn a_freed_device_is_loud() {
    let mut dev = TestDevice::new(c"gpu0").unwrap();
    let parent = dev.device();
    let bound = dev.bind().unwrap();
    let drm = new(&bound, Ok(Arc::new("data"))).unwrap();
    let raw = drm.as_raw();
    drop(drm);

    // SAFETY: The memory of a DRM device is never given back.
    let freed = unsafe { Device::<Gpu>::from_raw(raw) };
    let (device, warnings) = collect_warnings(|| {
        let device: &device::Device = freed.as_ref();
        device.as_raw()
    });
    assert_eq!(device, parent.as_raw());
    assert!(warnings[0].starts_with("BUG: use after free in drm::Device::as_ref()"));
    assert!(warnings[0].contains("gpu0"));

    let ((), warnings) = collect_warnings(|| drop(ARef::from(freed)));
    assert_eq!(warnings.len(), 2);

    // There is no going on without the data.
    let (caught, _) = collect_warnings(|| catch_unwind(AssertUnwindSafe(|| freed.len())));
    assert!(caught.is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| freed.len())).is_err());
}

#[test]
fn objects_are_counted() {
    let mut dev = TestDevice::new(c"gpu0").unwrap();
    let bound = dev.bind().unwrap();
    let drm = new(&bound, Ok(Arc::new("data"))).unwrap();
    let dropped = Arc::new(());

    let buffer = Object::<Buffer>::new(&drm, 2 * PAGE_SIZE, dropped.clone()).unwrap();
    assert_eq!(buffer.size(), 2 * PAGE_SIZE);
    assert!(!buffer.raw_dma_resv().is_null());
    // SAFETY: The object is alive.
    let again: ARef<Object<Buffer>> = unsafe { Object::<Buffer>::from_raw(buffer.as_raw()) }.into();
    drop(buffer);
    assert_eq!(Arc::strong_count(&again.dropped), 2);
    drop(again);
    assert_eq!(Arc::strong_count(&dropped), 1);
}

#[test]
fn an_object_without_references_is_loud() {
    let mut obj = bindings::drm_gem_object::default();
    // SAFETY: The object is as new, and the device is not used but in names.
    unsafe { bindings::drm_gem_private_object_init(core::ptr::null_mut(), &mut obj, 0) };
    obj.funcs = const { &bindings::drm_gem_object_funcs::new() };
    let obj = &raw mut obj;

    let ((), warnings) = collect_warnings(|| {
        // SAFETY: The object is alive; that there are no references left is the point.
        unsafe { bindings::drm_gem_object_put(obj) };
        // SAFETY: The object is alive. It has no references, which is reported.
        unsafe { bindings::drm_gem_object_get(obj) };
        // SAFETY: The object is alive. It has no references, which is reported.
        unsafe { bindings::drm_gem_object_put(obj) };
    });
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(warnings[0].starts_with("WARN_ON(!obj->funcs->free)"));
    assert!(warnings[1].starts_with("refcount_t: addition on 0; use-after-free: GEM object"));
    assert!(warnings[2].starts_with("refcount_t: underflow; use-after-free: GEM object"));
}
