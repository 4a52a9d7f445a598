// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Registration of a DRM device, and the callers that unregistration waits for.

use super::driver::{gpu, register, Gpu};
use kernel::{
    bindings, device, drm,
    prelude::*,
    sync::aref::ARef,
    testing::{fail_nth, TestDevice},
};
use std::{
    panic::{catch_unwind, AssertUnwindSafe},
    sync::{
        atomic::{
            AtomicBool,
            Ordering::{Relaxed, SeqCst},
        },
        mpsc,
    },
    thread,
    time::Duration,
};

/// The device as an ioctl gets it.
fn ioctl(drm: &drm::Device<Gpu>) -> &drm::Device<Gpu, drm::Ioctl> {
    // SAFETY: The tests register the device first.
    unsafe { drm::Device::from_raw(drm.as_raw()) }
}

#[test]
fn data_is_there_while_registered() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    let (drm, seen) = gpu(&bound)?;
    let kept: ARef<drm::Device<Gpu>> = (&*drm).into();
    // SAFETY: The registration is dropped before the device is unbound.
    let registration = unsafe { register(&bound, drm)? };

    {
        let guard = ioctl(registration.device())
            .registration_guard()
            .ok_or(ENODEV)?;
        let (value, same) = guard.registration_data_with(|registers| {
            (registers.value, registers.dev.as_raw() == bound.as_raw())
        });
        assert_eq!((value, same), (42, true));

        // The guard leads to the parent, bound.
        let parent: &device::Device<device::Bound> = (*guard).as_ref();
        assert_eq!(parent.as_raw(), bound.as_raw());
        let normal: &drm::Device<Gpu> = &guard;
        assert_eq!(normal.as_raw(), kept.as_raw());
    }

    assert_eq!(seen.unregistered.load(Relaxed), 0);
    drop(registration);
    assert_eq!(seen.unregistered.load(Relaxed), 1);
    assert!(ioctl(&kept).registration_guard().is_none());
    Ok(())
}

#[test]
fn another_device_is_einval() -> Result {
    let (mut dev, mut other) = (TestDevice::new(c"gpu0")?, TestDevice::new(c"gpu1")?);
    let (bound, other) = (dev.bind()?, other.bind()?);
    let (drm, seen) = gpu(&bound)?;

    // SAFETY: Registration fails, so nothing outlives the call.
    let result = unsafe { register(&other, drm) };
    assert_eq!(result.err(), Some(EINVAL));
    // The data was made, and is not kept.
    assert_eq!(seen.unregistered.load(Relaxed), 1);
    Ok(())
}

#[test]
fn every_failure_leaves_nothing() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;

    // The data, and what the DRM core needs.
    for nth in 1..=2 {
        let (drm, seen) = gpu(&bound)?;
        let kept: ARef<drm::Device<Gpu>> = (&*drm).into();

        let fault = fail_nth(nth);
        // SAFETY: Registration fails, so nothing outlives the call.
        let result = unsafe { register(&bound, drm) };
        assert!(fault.tripped(), "{nth}");
        assert_eq!(result.err(), Some(ENOMEM), "{nth}");
        assert_eq!(seen.unregistered.load(Relaxed), 1, "{nth}");
        // SAFETY: The device is alive.
        assert!(!unsafe { &(*kept.as_raw()).registered }.load(Relaxed));
    }
    Ok(())
}

#[test]
fn unregistering_waits_for_guards() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    let (drm, seen) = gpu(&bound)?;
    let kept: ARef<drm::Device<Gpu>> = (&*drm).into();
    // SAFETY: The registration is dropped before the device is unbound.
    let registration = unsafe { register(&bound, drm)? };

    let (done, over) = (&AtomicBool::new(false), &AtomicBool::new(false));
    let (entered, entry) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            let guard = ioctl(&kept).registration_guard().expect("it is registered");
            entered.send(()).expect("the test is waiting");
            thread::sleep(Duration::from_millis(50));
            assert!(!over.load(SeqCst), "unregistered under a guard");
            guard.registration_data_with(|registers| assert_eq!(registers.value, 42));
            done.store(true, SeqCst);
        });
        entry.recv().expect("the thread has entered");
        drop(registration);
        over.store(true, SeqCst);
        assert!(done.load(SeqCst));
    });
    assert_eq!(seen.unregistered.load(Relaxed), 1);
    Ok(())
}

#[test]
fn waiting_for_oneself_is_loud() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    let (drm, _) = gpu(&bound)?;
    let kept: ARef<drm::Device<Gpu>> = (&*drm).into();
    // SAFETY: The device stays bound until the end.
    let registration = unsafe { register(&bound, drm)? };

    let guard = ioctl(&kept).registration_guard().ok_or(ENODEV)?;
    let report = catch_unwind(AssertUnwindSafe(|| drop(registration))).expect_err("no report");
    let report = report.downcast_ref::<String>().expect("no text");
    assert!(report.contains("deadlock: drm_dev_unplug()"), "{report}");
    drop(guard);

    // `drm_dev_exit()` without `drm_dev_enter()`.
    // SAFETY: The host refuses the call.
    let report = catch_unwind(|| unsafe { bindings::drm_dev_exit(0) });
    assert!(report.is_err());
    Ok(())
}
