// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The shmem object of the library, as a driver uses it.

use kernel::{
    bindings,
    device::{Bound, Device, DeviceContext},
    drm::{
        self,
        file::DriverFile,
        gem::{
            shmem::{Object, ObjectConfig},
            BaseObject, BaseObjectPrivate, DriverObject, IntoGEMObject,
        },
    },
    io::Io,
    page::PAGE_SIZE,
    prelude::*,
    sync::aref::ARef,
    testing::{self, fail_nth, DrmFile, TestDevice},
};
use std::{
    panic::{catch_unwind, AssertUnwindSafe},
    sync::atomic::{AtomicI32, Ordering::Relaxed},
};

struct Gpu;

#[vtable]
impl drm::Driver for Gpu {
    /// The number of handles.
    type Data = AtomicI32;
    type RegistrationData<'a> = ();
    type Object = Object<Buffer>;
    type File = Client;
    type ParentDevice<Ctx: DeviceContext> = Device<Ctx>;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 0,
        minor: 0,
        patchlevel: 0,
        name: c"gpu",
        desc: c"Shmem objects",
    };
    const IOCTLS: &'static [drm::ioctl::DrmIoctlDescriptor] = &[];
}

struct Client;

impl DriverFile for Client {
    type Driver = Gpu;

    fn open(_: &drm::Device<Gpu>) -> Result<Pin<KBox<Self>>> {
        Ok(KBox::new(Self, GFP_KERNEL)?.into())
    }
}

#[pin_data]
struct Buffer {
    number: u32,
}

impl DriverObject for Buffer {
    type Driver = Gpu;
    type Args = u32;

    fn new(_: &drm::Device<Gpu>, _: usize, number: u32) -> impl PinInit<Self, Error> {
        try_pin_init!(Self { number })
    }

    fn open(obj: &Object<Self>, _: &drm::File<Client>) -> Result {
        obj.dev().fetch_add(1, Relaxed);
        Ok(())
    }

    fn close(obj: &Object<Self>, _: &drm::File<Client>) {
        obj.dev().fetch_sub(1, Relaxed);
    }
}

const SIZE: usize = 4 * PAGE_SIZE;

fn gpu(dev: &Device<Bound>) -> Result<drm::UnregisteredDevice<Gpu>> {
    drm::UnregisteredDevice::new(dev, Ok(AtomicI32::new(0)))
}

fn buffer(
    drm: &drm::Device<Gpu>,
    config: ObjectConfig<'_, Buffer>,
) -> Result<ARef<Object<Buffer>>> {
    Object::new(drm, SIZE, config, 7)
}

fn refs(drm: &drm::Device<Gpu>) -> i32 {
    // SAFETY: The device is alive.
    unsafe { &(*drm.as_raw()).ref_.refcount }.read()
}

#[test]
fn table_is_mapped_once_and_goes_with_unbind() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    let drm = gpu(&bound)?;
    let buffer = buffer(&drm, ObjectConfig::default())?;

    assert_eq!((buffer.size(), buffer.number), (SIZE, 7));
    assert!(buffer.sg_table_if_mapped(&bound)?.is_none());
    let table = buffer.sg_table(&bound)?;
    let bytes: u64 = table.iter().map(|entry| entry.dma_len()).sum();
    assert_eq!(bytes, SIZE as u64);
    assert!(std::ptr::eq(table, buffer.sg_table(&bound)?));
    assert_eq!(testing::ledger(&bound).mapped, 1);

    bound.unbind();
    assert!(buffer.try_sg_table().is_none());
    assert_eq!(testing::ledger(&dev.device()).live, 0);
    let bound = dev.bind()?;
    assert_eq!(buffer.sg_table(&bound).err(), Some(ENXIO));
    drop((buffer, drm));
    Ok(())
}

/// A first access with a reservation lock held is reported, also if it is that of another object
/// and nobody waits.
#[test]
fn first_access_under_a_reservation_lock() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    let drm = gpu(&bound)?;
    let object = || buffer(&drm, ObjectConfig::default());
    let (mapped, locked, empty) = (object()?, object()?, object()?);
    let resv = locked.raw_dma_resv();

    mapped.sg_table(&bound)?;
    // SAFETY: The object is there, and with it its reservation object.
    unsafe { bindings::dma_resv_lock(resv, std::ptr::null_mut()) };
    // No lock is taken for what is mapped.
    let lent = mapped.sg_table(&bound).is_ok();
    let report = catch_unwind(AssertUnwindSafe(|| empty.sg_table(&bound).is_ok()));
    // SAFETY: This thread has locked the object above.
    unsafe { bindings::dma_resv_unlock(resv) };

    assert!(lent);
    let report = report.expect_err("no report");
    let report = report.downcast_ref::<String>().expect("no text");
    for part in [
        "possible circular locking dependency detected",
        "takes `Object::sgt`",
        "holds `reservation_ww_class_mutex`",
    ] {
        assert!(report.contains(part), "{report}");
    }

    empty.sg_table(&bound)?;
    locked.sg_table(&bound)?;
    Ok(())
}

#[test]
fn a_wrong_device_is_einval_before_anything_is_mapped() -> Result {
    let (mut dev, mut other) = (TestDevice::new(c"gpu0")?, TestDevice::new(c"gpu1")?);
    let (bound, other) = (dev.bind()?, other.bind()?);
    let drm = gpu(&bound)?;
    let buffer = buffer(&drm, ObjectConfig::default())?;

    assert_eq!(buffer.sg_table(&other).err(), Some(EINVAL));
    assert_eq!(
        testing::ledger(&other).mapped + testing::ledger(&bound).mapped,
        0
    );
    buffer.sg_table(&bound)?;
    Ok(())
}

#[test]
fn the_object_keeps_its_drm_device() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    let drm = gpu(&bound)?;
    let kept: ARef<drm::Device<Gpu>> = (&*drm).into();
    let buffer = buffer(&drm, ObjectConfig::default())?;
    assert_eq!(refs(&kept), 3);
    drop(drm);
    buffer.sg_table(&bound)?;
    drop(buffer);
    assert_eq!(refs(&kept), 1);
    Ok(())
}

#[test]
fn memory_is_mapped_and_unmapped() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    let drm = gpu(&bound)?;
    let buffer = buffer(&drm, ObjectConfig::default())?;

    let vmap = buffer.vmap::<SIZE>()?;
    assert!(std::ptr::eq(vmap.owner(), &*buffer));
    vmap.write8(0xde, 0);
    vmap.write32(0xfedc_ba98, 0x20);
    assert_eq!((vmap.read8(0), vmap.read32(0x20)), (0xde, 0xfedc_ba98));
    for (offset, byte) in (0x20..).zip(0xfedc_ba98_u32.to_ne_bytes()) {
        assert_eq!(vmap.try_read8(offset)?, byte);
    }
    assert_eq!(vmap.try_read32(SIZE - 2), Err(EINVAL));

    // One more of the same memory, which keeps the object.
    let owned = buffer.owned_vmap::<0>()?;
    assert_eq!((owned.size(), owned.try_read8(0)?), (SIZE, 0xde));
    assert_eq!(owned.try_read32(0x20)?, 0xfedc_ba98);
    drop(vmap);
    drop(buffer);
    owned.try_write8(0xad, 1)?;
    assert_eq!(owned.try_read8(1)?, 0xad);
    Ok(())
}

#[test]
fn a_mapping_larger_than_the_object_is_enospc() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    let drm = gpu(&bound)?;
    let buffer = buffer(&drm, ObjectConfig::default())?;

    assert_eq!(buffer.vmap::<{ SIZE + 4 }>().err(), Some(ENOSPC));
    // SAFETY: The object is alive.
    let locked = unsafe { bindings::dma_resv_is_locked(buffer.raw_dma_resv()) };
    assert!(!locked);
    Ok(())
}

#[test]
fn config_is_heeded() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    let drm = gpu(&bound)?;
    let parent = buffer(&drm, ObjectConfig::default())?;
    let config = ObjectConfig {
        map_wc: true,
        parent_resv_obj: Some(&*parent),
    };
    let child = buffer(&drm, config)?;

    assert_eq!(child.raw_dma_resv(), parent.raw_dma_resv());
    drop(parent);
    // The child keeps the reservation object.
    child.sg_table(&bound)?;
    Ok(())
}

#[test]
fn every_failure_leaves_nothing() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    let drm = gpu(&bound)?;

    let mut nth = 1;
    loop {
        let fault = fail_nth(nth);
        let result = buffer(&drm, ObjectConfig::default());
        let tripped = fault.tripped();
        drop(fault);
        if !tripped {
            result?;
            break;
        }
        assert_eq!(result.err(), Some(ENOMEM), "{nth}");
        assert_eq!(refs(&drm), 1, "{nth}");
        nth += 1;
    }
    assert!(nth > 2);
    Ok(())
}

#[test]
fn a_part_of_a_page_is_a_bug() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    let drm = gpu(&bound)?;

    let new = || Object::<Buffer>::new(&drm, PAGE_SIZE + 1, ObjectConfig::default(), 7).is_ok();
    assert!(catch_unwind(AssertUnwindSafe(new)).is_err());
    assert_eq!(refs(&drm), 1);
    Ok(())
}

#[test]
fn the_driver_hears_of_handles() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    // SAFETY: The registration is dropped before the device is unbound.
    let registration =
        unsafe { drm::Registration::new(&bound, gpu(&bound)?, Ok::<_, Error>(()), 0)? };
    let drm = registration.device();
    let buffer = buffer(drm, ObjectConfig::default())?;
    let file = DrmFile::open(drm)?;

    let handle = buffer.create_handle(&file)?;
    assert_eq!(drm.load(Relaxed), 1);
    let found = Object::<Buffer>::lookup_handle(&file, handle)?;
    assert!(std::ptr::eq(found.as_raw(), buffer.as_raw()));
    drop(found);
    file.close_handle(handle)?;
    assert_eq!(drm.load(Relaxed), 0);
    Ok(())
}
