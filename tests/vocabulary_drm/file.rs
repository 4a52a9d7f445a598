// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Open files, handles, and the driver callbacks for them.

use super::driver::{gpu, register, Buffer, Gpu};
use kernel::{
    drm::{
        self,
        gem::{BaseObject, IntoGEMObject, Object},
    },
    page::PAGE_SIZE,
    prelude::*,
    sync::aref::ARef,
    testing::{fail_nth, DrmFile, TestDevice},
};
use std::sync::atomic::Ordering::Relaxed;

fn buffer(drm: &drm::Device<Gpu>, number: u32) -> Result<ARef<Object<Buffer>>> {
    Object::<Buffer>::new(drm, PAGE_SIZE, number)
}

/// The number of references.
fn refs(buffer: &Object<Buffer>) -> i32 {
    // SAFETY: The object is alive.
    unsafe { &(*buffer.as_raw()).refcount.refcount }.read()
}

#[test]
fn handles_hold_references() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    let (drm, seen) = gpu(&bound)?;
    // SAFETY: The registration is dropped before the device is unbound.
    let registration = unsafe { register(&bound, drm)? };
    let (first, second) = (
        buffer(registration.device(), 1)?,
        buffer(registration.device(), 2)?,
    );

    let file = DrmFile::open(registration.device())?;
    assert_eq!(seen.files.load(Relaxed), 1);
    let handles = [first.create_handle(&file)?, second.create_handle(&file)?];
    assert_eq!(handles, [1, 2]);
    assert_eq!((refs(&first), seen.handles.load(Relaxed)), (2, 2));

    let found = Object::<Buffer>::lookup_handle(&file, 2)?;
    assert_eq!((found.number, refs(&second)), (2, 3));
    drop(found);
    assert_eq!(
        Object::<Buffer>::lookup_handle(&file, 3).err(),
        Some(ENOENT)
    );

    // The lowest free number is used again.
    file.close_handle(1)?;
    assert_eq!((refs(&first), seen.handles.load(Relaxed)), (1, 1));
    assert_eq!(file.close_handle(1), Err(EINVAL));
    assert_eq!(first.create_handle(&file)?, 1);

    // Closing deletes the handles that are left, before the file's own data goes.
    drop(file);
    assert_eq!(seen.handles.load(Relaxed), 0);
    assert_eq!(seen.files.load(Relaxed), 0);
    assert_eq!((refs(&first), refs(&second)), (1, 1));
    drop((first, second));
    Ok(())
}

#[test]
fn only_a_registered_device_is_opened() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    let (drm, _) = gpu(&bound)?;
    let kept: ARef<drm::Device<Gpu>> = (&*drm).into();
    assert_eq!(DrmFile::open(&kept).err(), Some(ENODEV));

    // SAFETY: The registration is dropped before the device is unbound.
    let registration = unsafe { register(&bound, drm)? };
    let file = DrmFile::open(&kept)?;
    drop(registration);
    assert_eq!(DrmFile::open(&kept).err(), Some(ENODEV));
    // Open files stay open.
    drop(kept);
    drop(file);
    Ok(())
}

#[test]
fn every_refusal_leaves_nothing() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    let (drm, seen) = gpu(&bound)?;
    // SAFETY: The registration is dropped before the device is unbound.
    let registration = unsafe { register(&bound, drm)? };
    let drm = registration.device();
    let buffer = buffer(drm, 1)?;
    let file = DrmFile::open(drm)?;

    // The driver refuses.
    seen.refuse.store(EPERM.to_errno(), Relaxed);
    assert_eq!(DrmFile::open(drm).err(), Some(EPERM));
    assert_eq!(buffer.create_handle(&file), Err(EPERM));
    seen.refuse.store(0, Relaxed);

    // An allocation fails: that of the file, and that of the driver's data of the file.
    for nth in 1..=2 {
        let fault = fail_nth(nth);
        assert_eq!(DrmFile::open(drm).err(), Some(ENOMEM), "{nth}");
        assert!(fault.tripped());
    }
    let fault = fail_nth(1);
    assert_eq!(buffer.create_handle(&file), Err(ENOMEM));
    drop(fault);

    assert_eq!(refs(&buffer), 1);
    assert_eq!(seen.handles.load(Relaxed), 0);
    assert_eq!(seen.files.load(Relaxed), 1);
    drop((buffer, file));
    Ok(())
}
