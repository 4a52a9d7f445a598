// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A first access in each phase of a binding: what it returns, and what becomes of the resource.
//!
//! The order of the phases is that of `really_probe()`, `__device_release_driver()` and
//! `device_unbind_cleanup()` in `drivers/base/dd.c`, and of `post_unbind_callback()` in
//! `rust/kernel/driver.rs`. By the names of the kernel's tests.

use kernel::{
    bindings::{
        devres_close_group,
        devres_open_group,
        devres_release_group, //
    },
    device::{
        Bound,
        Device, //
    },
    devres::{
        prepare,
        Devres,
        Lazy, //
    },
    new_lazy,
    prelude::*,
    sync::aref::ARef,
    testing::{
        collect_warnings,
        Driver,
        TestDevice, //
    },
    types::ScopeGuard, //
};
use std::{
    ptr,
    sync::{
        atomic::{
            AtomicBool,
            Ordering::Relaxed, //
        },
        Arc,
        Mutex, //
    },
    thread, //
};

/// The events of a test, by name.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<i32>>>);

impl Log {
    fn note(&self, name: i32) {
        self.0.lock().unwrap().push(name);
    }

    /// Asserts that this has happened, in this order, and forgets it.
    #[track_caller]
    fn ensure(&self, names: &[i32]) {
        assert_eq!(self.0.lock().unwrap().split_off(0), names);
    }

    /// Returns a value that notes a name when it is dropped.
    fn noted(&self, name: i32) -> impl Send {
        let log = self.clone();
        ScopeGuard::new(move || log.note(name))
    }
}

/// A resource that notes its name when it is dropped.
struct Resource {
    name: i32,
    log: Log,
}

impl Drop for Resource {
    fn drop(&mut self) {
        self.log.note(self.name);
    }
}

/// An owner, which outlives bindings.
#[derive(Clone)]
struct Slot {
    lazy: Arc<Pin<KBox<Lazy<Resource>>>>,
    log: Log,
}

impl Slot {
    fn new(log: &Log) -> Result<Self> {
        Ok(Self {
            lazy: Arc::new(KBox::pin_init(new_lazy!("Slot::lazy"), GFP_KERNEL)?),
            log: log.clone(),
        })
    }

    /// As a generated accessor does.
    fn access(&self, dev: &Device<Bound>, name: i32) -> Result {
        self.interrupted(dev, name, Ok(()))
    }

    /// The same with an initialiser that has this result.
    fn interrupted(&self, dev: &Device<Bound>, name: i32, result: Result) -> Result {
        let init = || {
            result.map(|()| Resource {
                name,
                log: self.log.clone(),
            })
        };
        self.lazy.get_or_populate(dev, init).map(|_| ())
    }
}

/// Accesses a slot when it is dropped, and keeps what that returns.
struct AccessOnDrop {
    dev: ARef<Device>,
    slot: Slot,
    name: i32,
    found: Found,
}

/// The result of an access, if there was one.
type Found = Arc<Mutex<Option<Result>>>;

impl Drop for AccessOnDrop {
    fn drop(&mut self) {
        // SAFETY: The driver core is unbinding the device, and waits for this drop.
        let dev = unsafe { self.dev.as_bound() };
        *self.found.lock().unwrap() = Some(self.slot.access(dev, self.name));
    }
}

fn found(found: &Found) -> Option<Result> {
    found.lock().unwrap().take()
}

fn device() -> TestDevice {
    TestDevice::new(c"gpu0").unwrap()
}

/// While the driver probes, an access is served. The slots have a place among what the driver
/// registers: what is registered after the first access is released before the resource.
#[test]
fn access_while_probing() -> Result {
    let log = Log::default();
    let slot = Slot::new(&log)?;
    let mut dev = device();

    let bound = dev.probe(|dev| {
        let before = Devres::new(dev, log.noted(1))?;
        slot.access(dev, 2)?;
        let after = Devres::new(dev, log.noted(3))?;
        Ok((before, after))
    })?;
    slot.access(&bound, 4)?;
    log.ensure(&[]);

    let kept = slot.clone();
    bound.unbind();
    // The data owns both `Devres`, so they go first, and the later one is the second field.
    log.ensure(&[1, 3, 2]);
    drop(kept);

    // The same with what nothing but devres owns.
    let slot = Slot::new(&log)?;
    let mut kept = Vec::new();
    let bound = dev.probe(|dev| {
        kept.push(Devres::new(dev, log.noted(1))?);
        slot.access(dev, 2)?;
        kept.push(Devres::new(dev, log.noted(3))?);
        Ok(())
    })?;
    bound.unbind();
    log.ensure(&[3, 2, 1]);
    Ok(())
}

/// A probe that fails or is deferred releases what it has populated, before it returns. That slot
/// is revoked: the next binding of the same device is refused by it. An empty slot is served.
#[test]
fn failed_probe() -> Result {
    for error in [EIO, EPROBE_DEFER] {
        let log = Log::default();
        let (populated, empty) = (Slot::new(&log)?, Slot::new(&log)?);
        let mut dev = device();

        let mut kept = None;
        let failed = dev.probe(|dev| -> Result {
            populated.access(dev, 1)?;
            kept = Some(Devres::new(dev, log.noted(2))?);
            Err(error)
        });
        assert_eq!(failed.err(), Some(error));
        log.ensure(&[2, 1]);

        let bound = dev.probe(|dev| {
            assert_eq!(populated.access(dev, 3), Err(ENXIO));
            empty.access(dev, 4)
        })?;
        assert_eq!(populated.access(&bound, 5), Err(ENXIO));
        assert_eq!(empty.access(&bound, 6), Ok(()));
        bound.unbind();
        log.ensure(&[4]);
    }
    Ok(())
}

/// When the probe has failed, the device has no driver before anything is released: a first access
/// in a release callback is refused, whether the slots had a place or not.
#[test]
fn access_after_failed_probe() -> Result {
    for is_prepared in [false, true] {
        let log = Log::default();
        let slot = Slot::new(&log)?;
        let result = Found::default();
        let mut dev = device();

        let mut kept = None;
        let failed = dev.probe(|dev| -> Result {
            if is_prepared {
                prepare(dev)?;
            }
            kept = Some(Devres::new(
                dev,
                AccessOnDrop {
                    dev: dev.into(),
                    slot: slot.clone(),
                    name: 1,
                    found: result.clone(),
                },
            )?);
            Err(EIO)
        });
        assert_eq!(failed.err(), Some(EIO));
        assert_eq!(found(&result), Some(Err(ENXIO)));

        // It was no revocation.
        let bound = dev.bind()?;
        assert_eq!(slot.access(&bound, 2), Ok(()));
        bound.unbind();
        log.ensure(&[2]);
    }
    Ok(())
}

/// In the driver's unbind callback, a first access is served if the slots have their place, and the
/// resource is gone when unbind returns. Else it is refused, and the slot stays empty.
#[test]
fn access_in_unbind_callback() -> Result {
    for is_prepared in [false, true] {
        let log = Log::default();
        let slot = Slot::new(&log)?;
        let result = Found::default();
        let mut dev = device();

        let driver = Driver::new(|dev| if is_prepared { prepare(dev) } else { Ok(()) }).unbind({
            let (slot, result) = (slot.clone(), result.clone());
            move |dev, _| *result.lock().unwrap() = Some(slot.access(dev, 1))
        });
        dev.attach(driver)?.unbind();
        let expected = if is_prepared { Ok(()) } else { Err(ENXIO) };
        assert_eq!(found(&result), Some(expected), "prepared: {is_prepared}");
        log.ensure(if is_prepared { &[1] } else { &[] });

        let bound = dev.bind()?;
        let expected = if is_prepared { Err(ENXIO) } else { Ok(()) };
        assert_eq!(slot.access(&bound, 2), expected, "the next binding");
    }
    Ok(())
}

/// The same in the drop of the driver's private data, which comes before devres releases anything.
#[test]
fn access_in_drop_of_driver_data() -> Result {
    for is_prepared in [false, true] {
        let log = Log::default();
        let slot = Slot::new(&log)?;
        let result = Found::default();
        let mut dev = device();

        let bound = dev.probe(|dev| {
            if is_prepared {
                prepare(dev)?;
            }
            Ok(AccessOnDrop {
                dev: dev.into(),
                slot: slot.clone(),
                name: 1,
                found: result.clone(),
            })
        })?;
        bound.unbind();
        let expected = if is_prepared { Ok(()) } else { Err(ENXIO) };
        assert_eq!(found(&result), Some(expected), "prepared: {is_prepared}");
        log.ensure(if is_prepared { &[1] } else { &[] });

        let bound = dev.bind()?;
        let expected = if is_prepared { Err(ENXIO) } else { Ok(()) };
        assert_eq!(slot.access(&bound, 2), expected, "the next binding");
    }
    Ok(())
}

/// In a release callback of devres, a first access is refused: the registry was taken off the list
/// with everything else. A populated slot is served if the callback comes before the registry's
/// node, as one does that was registered later.
#[test]
fn access_in_release_callback() -> Result {
    for is_newer in [true, false] {
        let log = Log::default();
        let (populated, empty) = (Slot::new(&log)?, Slot::new(&log)?);
        let results = [Found::default(), Found::default()];
        let mut dev = device();

        let mut kept = None;
        let bound = dev.probe(|dev| {
            if is_newer {
                populated.access(dev, 1)?;
            }
            let slots = [&populated, &empty];
            let accesses: Vec<_> = slots
                .into_iter()
                .zip(&results)
                .map(|(slot, found)| AccessOnDrop {
                    dev: dev.into(),
                    slot: slot.clone(),
                    name: 2,
                    found: found.clone(),
                })
                .collect();
            kept = Some(Devres::new(dev, accesses)?);
            if !is_newer {
                populated.access(dev, 1)?;
            }
            Ok(())
        })?;
        bound.unbind();

        let of_populated = if is_newer { Ok(()) } else { Err(ENXIO) };
        let results = results.each_ref().map(found);
        assert_eq!(results, [Some(of_populated), Some(Err(ENXIO))]);
        log.ensure(&[1]);
    }
    Ok(())
}

/// Unbind calls the driver's callback, drops its private data, with it the object that the data
/// owns, and then releases what devres has.
#[test]
fn driver_data_goes_first() -> Result {
    let log = Log::default();
    let outlives = Slot::new(&log)?;
    let mut dev = device();

    let mut kept = None;
    let driver = Driver::new(|dev| {
        kept = Some(Devres::new(dev, log.noted(5))?);
        let object = Slot::new(&log)?;
        outlives.access(dev, 4)?;
        object.access(dev, 3)?;
        Ok((log.noted(2), object))
    })
    .unbind({
        let log = log.clone();
        move |dev, data| {
            log.note(1);
            assert_eq!(data.1.access(dev, 6), Ok(()));
        }
    });
    let bound = dev.attach(driver)?;
    log.ensure(&[]);
    bound.unbind();
    log.ensure(&[1, 2, 3, 4, 5]);
    Ok(())
}

/// An initialiser that a signal interrupts leaves the slot empty, and the next access populates it.
#[test]
fn interrupted_init() -> Result {
    let log = Log::default();
    let slot = Slot::new(&log)?;
    let mut dev = device();
    let bound = dev.bind()?;

    for error in [EINTR, ERESTARTSYS] {
        assert_eq!(slot.interrupted(&bound, 1, Err(error)), Err(error));
        assert!(slot.lazy.get(&bound).is_none());
        log.ensure(&[]);
    }
    assert_eq!(slot.access(&bound, 2), Ok(()));
    bound.unbind();
    log.ensure(&[2]);
    Ok(())
}

/// Another driver that binds the same device, since it was named by `driver_override`, is a binding
/// of its own: a slot of the first one's stays revoked.
#[test]
fn driver_override() -> Result {
    let log = Log::default();
    let (revoked, empty) = (Slot::new(&log)?, Slot::new(&log)?);
    let mut dev = device();

    let first = dev.attach(Driver::new(|dev| revoked.access(dev, 1)))?;
    dev_override(&first, c"other");
    // The driver that is bound stays.
    assert_eq!(revoked.access(&first, 2), Ok(()));
    first.unbind();
    log.ensure(&[1]);

    assert_eq!(dev.bind().err(), Some(ENODEV));
    let other = dev.attach(Driver::new(|dev| empty.access(dev, 3)).name(c"other"))?;
    assert_eq!(revoked.access(&other, 4), Err(ENXIO));
    assert_eq!(empty.access(&other, 5), Ok(()));
    other.unbind();
    log.ensure(&[3]);
    Ok(())
}

/// Sets the override by way of the C model, as sysfs does while a driver is bound.
fn dev_override(dev: &Device<Bound>, name: &CStr) {
    // SAFETY: The device is valid, and the name a C string.
    let ret = unsafe { kernel::bindings::device_set_driver_override(dev.as_raw(), name.as_ptr()) };
    assert_eq!(ret, 0);
}

/// A resource that is registered in the middle of unbind stays on the device, and the next probe is
/// refused before the driver is called. Once the resource is gone, the device can be bound.
#[test]
fn leftover_refuses_probe() -> Result {
    let log = Log::default();
    let left = Arc::new(Mutex::new(None));
    let mut dev = device();

    let mut kept = None;
    let bound = dev.probe(|dev| {
        let (of, left, log) = (ARef::<Device>::from(dev), left.clone(), log.clone());
        let late = ScopeGuard::new(move || {
            // SAFETY: The driver core is unbinding the device, and waits for this drop.
            let dev = unsafe { of.as_bound() };
            *left.lock().unwrap() = Devres::new(dev, log.noted(1)).ok();
        });
        kept = Some(Devres::new(dev, late)?);
        Ok(())
    })?;
    bound.unbind();
    assert!(left.lock().unwrap().is_some());

    let mut is_probed = false;
    let (refused, warnings) = collect_warnings(|| {
        dev.probe(|_| {
            is_probed = true;
            Ok(())
        })
        .err()
    });
    assert_eq!(refused, Some(EBUSY));
    assert_eq!(warnings, ["gpu0: resources present before probing"]);
    assert!(!is_probed);

    *left.lock().unwrap() = None;
    log.ensure(&[1]);
    dev.bind()?.unbind();
    Ok(())
}

/// A resource that was registered too late for unbind is released when the device is removed, and
/// not with its last reference, which the resource may hold: `device_del()` calls
/// `devres_release_all()` once more.
#[test]
fn removal_releases_leftover() -> Result {
    let log = Log::default();
    let left = Arc::new(Mutex::new(None));
    let mut dev = device();
    let reference = dev.device();

    let mut kept = None;
    let bound = dev.probe(|dev| {
        let (of, left, log) = (ARef::<Device>::from(dev), left.clone(), log.clone());
        let late = ScopeGuard::new(move || {
            // SAFETY: The driver core is unbinding the device, and waits for this drop.
            let dev = unsafe { of.as_bound() };
            *left.lock().unwrap() = Devres::new(dev, log.noted(1)).ok();
        });
        kept = Some(Devres::new(dev, late)?);
        Ok(())
    })?;
    bound.unbind();
    log.ensure(&[]);

    drop(dev);
    log.ensure(&[1]);
    drop((reference, left.lock().unwrap().take()));
    log.ensure(&[]);
    Ok(())
}

/// A supplier is `DL_DEV_UNBINDING` before its consumers are unbound: in the consumer's unbind
/// callback, a very first access on the supplier is refused, although no callback of the supplier's
/// driver was called yet. With `prepare()` it is served.
#[test]
fn access_on_supplier_in_unbind_of_consumer() -> Result {
    for is_prepared in [false, true] {
        let log = Log::default();
        let slot = Slot::new(&log)?;
        let result = Found::default();
        let (mut supplier, mut consumer) = (device(), device());
        {
            let bound = supplier.probe(|dev| if is_prepared { prepare(dev) } else { Ok(()) })?;
            let driver = Driver::new(|_| Ok(())).unbind({
                let (slot, result, supplier) = (slot.clone(), result.clone(), bound.device());
                move |_, _| {
                    // SAFETY: The supplier is unbound after its consumer.
                    let supplier = unsafe { supplier.as_bound() };
                    *result.lock().unwrap() = Some(slot.access(supplier, 1));
                }
            });
            let _consumer = bound.add_consumer(consumer.attach(driver)?)?;
            bound.unbind();
        }
        let expected = if is_prepared { Ok(()) } else { Err(ENXIO) };
        assert_eq!(found(&result), Some(expected), "prepared: {is_prepared}");
        log.ensure(if is_prepared { &[1] } else { &[] });

        let bound = supplier.bind()?;
        let expected = if is_prepared { Err(ENXIO) } else { Ok(()) };
        assert_eq!(slot.access(&bound, 2), expected, "the next binding");
        consumer.bind()?.unbind();
    }
    Ok(())
}

/// A group that is released while the device stays bound takes the slots with it if the first
/// population was in it, and not if the driver has called `prepare()` before.
#[test]
fn group() -> Result {
    for is_prepared in [true, false] {
        let log = Log::default();
        let (inside, behind) = (Slot::new(&log)?, Slot::new(&log)?);
        let mut dev = device();
        let mut bound = dev.bind()?;
        if is_prepared {
            prepare(&bound)?;
        }

        let group = bound.open_group()?;
        inside.access(&bound, 1)?;
        bound.close_group(&group);
        behind.access(&bound, 2)?;
        let released = bound.release_group(group);
        assert_eq!(released, usize::from(!is_prepared));

        let is_there = [&inside, &behind].map(|slot| slot.lazy.get(&bound).is_some());
        assert_eq!(is_there, [is_prepared; 2], "prepared: {is_prepared}");
        drop((inside, behind));
        log.ensure(if is_prepared { &[1, 2] } else { &[2, 1] });
    }
    Ok(())
}

/// While a group is released with the slots' place in it, another thread takes the place for a
/// registration. That does not fail: it takes a place anew.
#[test]
fn register_while_a_group_is_released() -> Result {
    const ROUNDS: usize = 2_000;

    let mut dev = device();
    let bound = dev.bind()?;
    let is_over = AtomicBool::new(false);
    let (released, registered) = thread::scope(|scope| {
        let dev: &Device<Bound> = &bound;
        let registering = scope.spawn(|| {
            while !is_over.load(Relaxed) {
                prepare(dev)?;
            }
            Ok(())
        });
        let released = (0..ROUNDS).try_for_each(|_| {
            // SAFETY: The device is valid.
            let id = unsafe { devres_open_group(dev.as_raw(), ptr::null_mut(), 0) };
            let prepared = prepare(dev);
            // SAFETY: The device is valid.
            unsafe { devres_close_group(dev.as_raw(), id) };
            // SAFETY: The device is valid, and at most the registry is in the group, which has no
            // slots.
            unsafe { devres_release_group(dev.as_raw(), id) };
            prepared
        });
        is_over.store(true, Relaxed);
        (released, registering.join().unwrap_or(Err(EIO)))
    });

    assert_eq!(released, Ok(()), "with the group");
    assert_eq!(registered, Ok(()), "on the other thread");
    bound.unbind();
    Ok(())
}
