// SPDX-License-Identifier: GPL-2.0

//! A first access in each phase of a binding: what it returns, and when the resource is dropped.
//!
//! The order of the phases is that of `really_probe()`, `__device_release_driver()` and
//! `device_unbind_cleanup()` in `drivers/base/dd.c`, and of `post_unbind_callback()` in
//! `rust/kernel/driver.rs`. The driver is in `kunit_driver`.

use super::{
    kunit_driver::{
        self,
        Registered,
        RELEASES_LATE, //
    },
    kunit_support::{
        ensure,
        ensure_ok, //
    },
    prepare,
    registry_kunit::Log,
    Devres,
    Lazy, //
};
use crate::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    error::to_result,
    new_lazy,
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        Mutex, //
    }, //
};
use core::ptr::NonNull;

/// A resource that notes its name when it is dropped.
struct Resource {
    name: i32,
    log: Arc<Log>,
}

impl Drop for Resource {
    fn drop(&mut self) {
        self.log.note(self.name);
    }
}

/// An owner, which outlives bindings.
#[pin_data]
struct Slot {
    #[pin]
    lazy: Lazy<Resource>,
    log: Arc<Log>,
}

impl Slot {
    fn new(log: &Arc<Log>) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                lazy <- new_lazy!("phases_kunit::Slot::lazy"),
                log: log.clone(),
            }),
            GFP_KERNEL,
        )
    }

    /// Accesses the slot as a generated accessor does.
    fn access(&self, dev: &Device<Bound>, name: i32) -> Result {
        self.interrupted(dev, name, Ok(()))
    }

    /// Accesses the slot with an initialiser that has this result.
    fn interrupted(&self, dev: &Device<Bound>, name: i32, result: Result) -> Result {
        let init = || {
            result.map(|()| Resource {
                name,
                log: self.log.clone(),
            })
        };
        self.lazy.get_or_populate(dev, init).map(|_| ())
    }

    fn is_there(&self, dev: &Device<Bound>) -> bool {
        self.lazy.get(dev).is_some()
    }
}

/// The `probe` phase of a driver.
type Probe = fn(&Context, &Device<Bound>) -> Result;

/// Another phase of a driver.
type Phase = fn(&Context, &Device<Bound>);

/// The phases of the driver in one test, and the state that they share.
#[pin_data]
pub(crate) struct Context {
    probe: Probe,
    unbind: Phase,
    data_drop: Phase,
    release: Phase,
    log: Arc<Log>,
    slots: [Arc<Slot>; 2],
    /// The object that the driver's private data owns.
    #[pin]
    owned: Mutex<Option<Arc<Slot>>>,
    #[pin]
    kept: Mutex<KVec<Devres<Released>>>,
    /// The results of accesses.
    #[pin]
    found: Mutex<KVec<Result>>,
    /// A device that a phase accesses in place of its own.
    #[pin]
    other: Mutex<Option<ARef<Device>>>,
    is_prepared: bool,
    error: Error,
}

/// The phases of a test. By default, a phase does nothing.
struct Phases {
    probe: Probe,
    unbind: Phase,
    data_drop: Phase,
    release: Phase,
    is_prepared: bool,
    error: Error,
}

impl Default for Phases {
    fn default() -> Self {
        Self {
            probe: |_, _| Ok(()),
            unbind: |_, _| (),
            data_drop: |_, _| (),
            release: |_, _| (),
            is_prepared: false,
            error: EIO,
        }
    }
}

impl Context {
    fn new(phases: Phases) -> Result<Arc<Self>> {
        let log = Log::new()?;
        let slots = [Slot::new(&log)?, Slot::new(&log)?];

        Arc::pin_init(
            pin_init!(Self {
                probe: phases.probe,
                unbind: phases.unbind,
                data_drop: phases.data_drop,
                release: phases.release,
                log,
                slots,
                owned <- new_mutex!(None),
                kept <- new_mutex!(KVec::new()),
                found <- new_mutex!(KVec::new()),
                other <- new_mutex!(None),
                is_prepared: phases.is_prepared,
                error: phases.error,
            }),
            GFP_KERNEL,
        )
    }

    /// Accesses a slot, and keeps the result.
    fn look(&self, slot: usize, dev: &Device<Bound>, name: i32) {
        let result = self.slots[slot].access(dev, name);
        // If this fails, the test finds the result missing.
        let _ = self.found.lock().push(result, GFP_KERNEL);
    }

    /// Fails unless these are the results of the accesses since the last call.
    fn ensure_found(&self, results: &[Result]) -> Result {
        let mut found = self.found.lock();
        ensure!(
            found[..] == *results,
            "found {:?}, not {results:?}",
            &**found
        );
        found.clear();
        Ok(())
    }

    /// Registers a `Devres` that notes `name` when it is released. With [`CALLS`], it calls the
    /// `release` phase instead.
    fn register(&self, dev: &Device<Bound>, name: i32) -> Result {
        let released = Released {
            name,
            context: NonNull::from(self),
            dev: dev.into(),
        };
        let released = Devres::new(dev, released)?;
        self.kept.lock().push(released, GFP_KERNEL)?;
        Ok(())
    }

    /// Drops each `Devres` that [`register()`](Self::register) has kept, the first one first.
    fn drop_kept(&self) {
        let kept = core::mem::take(&mut *self.kept.lock());
        drop(kept);
    }
}

/// The name of a `Devres` that calls the `release` phase.
const CALLS: i32 = 0;

/// The value in a `Devres`.
struct Released {
    name: i32,
    context: NonNull<Context>,
    dev: ARef<Device>,
}

// SAFETY: `context` points to a context, which threads may share.
unsafe impl Send for Released {}

// SAFETY: `context` points to a context, which threads may share.
unsafe impl Sync for Released {}

impl Drop for Released {
    fn drop(&mut self) {
        // SAFETY: The context outlives the device, which releases this value.
        let context = unsafe { self.context.as_ref() };
        if self.name != CALLS {
            return context.log.note(self.name);
        }

        // SAFETY: The driver core is unbinding the device, and waits for this drop.
        let dev = unsafe { self.dev.as_bound() };
        (context.release)(context, dev);
    }
}

/// The private data of the driver.
pub(crate) struct Data {
    context: NonNull<Context>,
    dev: ARef<Device>,
}

impl Data {
    /// The driver's probe.
    ///
    /// # Safety
    ///
    /// The context outlives the data.
    pub(crate) unsafe fn probe(context: &Context, dev: &Device<Bound>) -> Result<Self> {
        (context.probe)(context, dev)?;
        Ok(Self {
            context: NonNull::from(context),
            dev: dev.into(),
        })
    }

    /// The driver's unbind callback.
    pub(crate) fn unbind(&self, dev: &Device<Bound>) {
        // SAFETY: The context outlives the data.
        let context = unsafe { self.context.as_ref() };
        (context.unbind)(context, dev);
    }
}

// SAFETY: `context` points to a context, which threads may share.
unsafe impl Send for Data {}

impl Drop for Data {
    fn drop(&mut self) {
        // SAFETY: The context outlives the data.
        let context = unsafe { self.context.as_ref() };
        // SAFETY: The driver core is unbinding the device, and waits for this drop.
        (context.data_drop)(context, unsafe { self.dev.as_bound() });

        let owned = context.owned.lock().take();
        drop(owned);
    }
}

/// A device, which no driver is bound to at first.
struct TestDevice {
    dev: NonNull<bindings::device>,
    context: Arc<Context>,
    is_registered: bool,
}

impl TestDevice {
    fn new(context: Arc<Context>) -> Result<Self> {
        Ok(Self {
            // SAFETY: The device is unregistered when it is dropped, before its context.
            dev: unsafe { kunit_driver::register_device(&context) }?,
            context,
            is_registered: true,
        })
    }

    fn as_raw(&self) -> *mut bindings::device {
        self.dev.as_ptr()
    }

    /// Probes the device with a driver, whatever its name. Returns the result of the probe.
    fn probe(&self, driver: &Registered) -> Result {
        // SAFETY: Driver and device are registered, and this thread does not hold the device's
        // lock.
        to_result(unsafe { bindings::device_driver_attach(driver.as_raw(), self.as_raw()) })
    }

    /// Makes the driver core look for a driver that matches. Returns whether the device is bound
    /// now.
    fn attach(&self) -> bool {
        // SAFETY: The device is registered, and this thread does not hold its lock.
        unsafe { kunit_driver::attach(self.dev) }
    }

    /// Returns the device. `ENODEV` if it is not bound.
    fn bound(&self) -> Result<&Device<Bound>> {
        // SAFETY: The device is registered.
        if !unsafe { bindings::device_is_bound(self.as_raw()) } {
            return Err(ENODEV);
        }
        // SAFETY: The device is bound, and only unbound with an exclusive borrow.
        Ok(unsafe { Device::from_raw(self.as_raw()) })
    }

    /// Removes the device from the bus, once. No other function may be called after this.
    fn remove(&mut self) {
        if core::mem::replace(&mut self.is_registered, false) {
            // SAFETY: The device is registered, and not used after this.
            unsafe { kunit_driver::unregister_device(self.dev) };
        }
    }

    fn unbind(&mut self) {
        // SAFETY: The device is registered, and this thread does not hold its lock.
        unsafe { bindings::device_release_driver(self.as_raw()) };
    }
}

impl Drop for TestDevice {
    fn drop(&mut self) {
        self.remove();
        // Each kept `Devres` refers to the context.
        self.context.drop_kept();
    }
}

/// The name of the driver.
const DRIVER: &CStr = c"lazy-kunit-phases-driver";
/// The name of the driver that `driver_override` selects.
const OTHER: &CStr = c"lazy-kunit-phases-other";

/// Registers the driver and a device, for one test.
fn test(phases: Phases) -> Result<(Registered, Arc<Context>, TestDevice)> {
    let driver = Registered::new(DRIVER)?;
    let context = Context::new(phases)?;
    let dev = TestDevice::new(context.clone())?;
    Ok((driver, context, dev))
}

/// The end of two tests: checks a first access in a phase before devres releases anything, and one
/// in the next binding.
fn served_if_prepared(driver: &Registered, context: &Context, dev: &mut TestDevice) -> Result {
    ensure_ok!(dev.probe(driver), "the probe");
    dev.unbind();
    let (here, next) = if context.is_prepared {
        (Ok(()), Err(ENXIO))
    } else {
        (Err(ENXIO), Ok(()))
    };
    context.ensure_found(&[here])?;
    context
        .log
        .ensure(if context.is_prepared { &[1] } else { &[] })?;

    ensure_ok!(dev.probe(driver), "the next probe");
    context.look(0, dev.bound()?, 2);
    context.ensure_found(&[next])
}

/// Calls `prepare()` if the test asks for it.
fn prepare_if_asked(context: &Context, dev: &Device<Bound>) -> Result {
    if context.is_prepared {
        prepare(dev)?;
    }
    Ok(())
}

#[kunit_tests(rust_devres_lazy_phases)]
mod tests {
    use super::*;

    /// An access in the driver's probe succeeds, and gives the slots a place among the managed
    /// resources. Unbind releases managed resources that were added after the first access before
    /// the slot's resource.
    #[test]
    fn access_while_probing() -> Result {
        let nothing: Phase = |_, _| ();
        // The private data drops each `Devres`, before unbind drops the resource.
        let drop_kept: Phase = |context, _| context.drop_kept();

        for (data_drop, order) in [(nothing, [3, 2, 1]), (drop_kept, [1, 3, 2])] {
            let (driver, context, mut dev) = test(Phases {
                probe: |context, dev| {
                    context.register(dev, 1)?;
                    context.look(0, dev, 2);
                    context.register(dev, 3)
                },
                data_drop,
                ..Default::default()
            })?;

            ensure_ok!(dev.probe(&driver), "the probe");
            context.look(0, dev.bound()?, 4);
            context.ensure_found(&[Ok(()), Ok(())])?;
            context.log.ensure(&[])?;
            dev.unbind();
            context.log.ensure(&order)?;
        }
        Ok(())
    }

    /// A probe that fails or is deferred drops the resources that it has populated, before it
    /// returns. Their slots are revoked, and refuse the next binding of the same device. Empty
    /// slots serve it.
    #[test]
    fn failed_probe() -> Result {
        for (error, returned) in [(EIO, EIO), (EPROBE_DEFER, EAGAIN)] {
            let (driver, context, mut dev) = test(Phases {
                probe: |context, dev| {
                    let is_first = context.kept.lock().is_empty();
                    context.look(0, dev, 1);
                    if is_first {
                        context.register(dev, 2)?;
                        return Err(context.error);
                    }
                    context.look(1, dev, 4);
                    Ok(())
                },
                error,
                ..Default::default()
            })?;

            // The driver core returns `EAGAIN` if the requested probe is deferred.
            let failed = dev.probe(&driver);
            ensure!(
                failed == Err(returned),
                "{error:?} is returned as {failed:?}"
            );
            context.ensure_found(&[Ok(())])?;
            context.log.ensure(&[2, 1])?;

            ensure_ok!(dev.probe(&driver), "the next probe");
            context.look(0, dev.bound()?, 5);
            context.look(1, dev.bound()?, 6);
            context.ensure_found(&[Err(ENXIO), Ok(()), Err(ENXIO), Ok(())])?;
            dev.unbind();
            context.log.ensure(&[4])?;
        }
        Ok(())
    }

    /// After a failed probe, the device is marked as having no driver before anything is released.
    /// A first access in a release callback then fails, unless the slots have a place that is still
    /// to be released. In that case the resource is dropped before the probe returns.
    #[test]
    fn access_after_failed_probe() -> Result {
        for is_prepared in [false, true] {
            let (driver, context, mut dev) = test(Phases {
                probe: |context, dev| {
                    if !context.kept.lock().is_empty() {
                        return Ok(());
                    }
                    if context.is_prepared {
                        prepare(dev)?;
                    }
                    context.register(dev, CALLS)?;
                    Err(EIO)
                },
                release: |context, dev| context.look(0, dev, 1),
                is_prepared,
                ..Default::default()
            })?;

            let failed = dev.probe(&driver);
            ensure!(failed == Err(EIO), "the probe: {failed:?}");
            let (found, dropped): (_, &[i32]) = match is_prepared {
                true => (Ok(()), &[1]),
                false => (Err(ENXIO), &[]),
            };
            context.ensure_found(&[found])?;
            context.log.ensure(dropped)?;

            // The refused access has not revoked the slot.
            ensure_ok!(dev.probe(&driver), "the next probe");
            context.look(0, dev.bound()?, 2);
            let (found, dropped): (_, &[i32]) = match is_prepared {
                true => (Err(ENXIO), &[]),
                false => (Ok(()), &[2]),
            };
            context.ensure_found(&[found])?;
            dev.unbind();
            context.log.ensure(dropped)?;
        }
        Ok(())
    }

    /// In the driver's unbind callback, a first access succeeds if the slots have their place, and
    /// the resource is dropped before unbind returns. Otherwise the access fails, and the slot
    /// stays empty.
    #[test]
    fn access_in_unbind_callback() -> Result {
        for is_prepared in [false, true] {
            let (driver, context, mut dev) = test(Phases {
                probe: prepare_if_asked,
                unbind: |context, dev| context.look(0, dev, 1),
                is_prepared,
                ..Default::default()
            })?;
            served_if_prepared(&driver, &context, &mut dev)?;
        }
        Ok(())
    }

    /// The same in the drop of the driver's private data, which comes before devres releases
    /// anything.
    #[test]
    fn access_in_drop_of_driver_data() -> Result {
        for is_prepared in [false, true] {
            let (driver, context, mut dev) = test(Phases {
                probe: prepare_if_asked,
                data_drop: |context, dev| context.look(0, dev, 1),
                is_prepared,
                ..Default::default()
            })?;
            served_if_prepared(&driver, &context, &mut dev)?;
        }
        Ok(())
    }

    /// In a release callback of devres, an access succeeds if the callback was registered after the
    /// registry's node, and so runs before the node's. Otherwise the access fails. The same holds
    /// for a populated slot and for a first access, whose resource the same unbind drops.
    #[test]
    fn access_in_release_callback() -> Result {
        fn newer(context: &Context, dev: &Device<Bound>) -> Result {
            context.slots[0].access(dev, 1)?;
            context.register(dev, CALLS)
        }

        fn older(context: &Context, dev: &Device<Bound>) -> Result {
            context.register(dev, CALLS)?;
            context.slots[0].access(dev, 1)
        }

        let cases: [(Probe, _, &[i32]); 2] = [(newer, Ok(()), &[2, 1]), (older, Err(ENXIO), &[1])];
        for (probe, found, dropped) in cases {
            let (driver, context, mut dev) = test(Phases {
                probe,
                release: |context, dev| {
                    context.look(0, dev, 2);
                    context.look(1, dev, 2);
                },
                ..Default::default()
            })?;
            ensure_ok!(dev.probe(&driver), "the probe");
            dev.unbind();
            context.ensure_found(&[found, found])?;
            context.log.ensure(dropped)?;
        }
        Ok(())
    }

    /// Unbind calls the driver's callback, drops its private data with the object that the data
    /// owns, and then releases the managed resources.
    #[test]
    fn driver_data_goes_first() -> Result {
        let (driver, context, mut dev) = test(Phases {
            probe: |context, dev| {
                context.register(dev, 5)?;
                let object = Slot::new(&context.log)?;
                context.slots[0].access(dev, 4)?;
                object.access(dev, 3)?;
                *context.owned.lock() = Some(object);
                Ok(())
            },
            unbind: |context, dev| {
                context.log.note(1);
                context.look(0, dev, 6);
            },
            data_drop: |context, _| context.log.note(2),
            ..Default::default()
        })?;

        ensure_ok!(dev.probe(&driver), "the probe");
        context.log.ensure(&[])?;
        dev.unbind();
        context.ensure_found(&[Ok(())])?;
        context.log.ensure(&[1, 2, 3, 4, 5])
    }

    /// An initialiser that a signal interrupts leaves the slot empty, and the next access populates
    /// it.
    #[test]
    fn interrupted_init() -> Result {
        let (driver, context, mut dev) = test(Phases::default())?;
        ensure_ok!(dev.probe(&driver), "the probe");
        let slot = &context.slots[0];

        for error in [EINTR, ERESTARTSYS] {
            let interrupted = slot.interrupted(dev.bound()?, 1, Err(error));
            ensure!(interrupted == Err(error), "{error:?}, then {interrupted:?}");
            ensure!(!slot.is_there(dev.bound()?), "populated after {error:?}");
            context.log.ensure(&[])?;
        }
        ensure_ok!(slot.access(dev.bound()?, 2), "the next access");
        dev.unbind();
        context.log.ensure(&[2])
    }

    /// Another driver that binds the same device, selected by `driver_override`, begins a new
    /// binding. Slots of the first driver's binding stay revoked.
    #[test]
    fn driver_override() -> Result {
        let (driver, context, mut dev) = test(Phases {
            probe: |context, dev| {
                context.look(0, dev, 1);
                context.look(1, dev, 2);
                Ok(())
            },
            ..Default::default()
        })?;
        let _other = Registered::new(OTHER)?;

        ensure_ok!(dev.probe(&driver), "the probe");
        context.ensure_found(&[Ok(()), Ok(())])?;
        // SAFETY: The device is valid, and the name a string of this length.
        to_result(unsafe {
            bindings::__device_set_driver_override(
                dev.as_raw(),
                OTHER.as_char_ptr(),
                OTHER.to_bytes().len(),
            )
        })?;
        // The current driver stays bound.
        context.look(0, dev.bound()?, 3);
        context.ensure_found(&[Ok(())])?;
        dev.unbind();
        context.log.ensure(&[2, 1])?;

        ensure!(dev.attach(), "no driver has matched");
        // SAFETY: The device is valid.
        let name = unsafe { bindings::dev_driver_string(dev.as_raw()) };
        // SAFETY: The name of a driver is a string, which is valid while the driver is registered.
        let name = unsafe { CStr::from_char_ptr(name) };
        ensure!(name == OTHER, "bound by {name:?}");
        context.ensure_found(&[Err(ENXIO), Err(ENXIO)])?;
        let empty = Slot::new(&context.log)?;
        ensure_ok!(empty.access(dev.bound()?, 4), "an empty slot");
        dev.unbind();
        context.log.ensure(&[4])
    }

    /// A resource that a release callback registers is released by the same unbind, if
    /// [`RELEASES_LATE`]. Otherwise it stays on the device, and the next probe is refused before
    /// the driver is called. Once the resource is gone, the device can be bound.
    #[test]
    fn leftover_refuses_probe() -> Result {
        let (driver, context, mut dev) = test(Phases {
            probe: |context, dev| {
                context.look(0, dev, 1);
                if context.kept.lock().is_empty() {
                    context.register(dev, CALLS)?;
                }
                Ok(())
            },
            release: |context, dev| {
                // If this fails, the test finds the resource missing.
                let _ = context.register(dev, 2);
            },
            ..Default::default()
        })?;

        ensure_ok!(dev.probe(&driver), "the probe");
        dev.unbind();
        context.ensure_found(&[Ok(())])?;
        if RELEASES_LATE {
            context.log.ensure(&[1, 2])?;
        } else {
            context.log.ensure(&[1])?;
            let refused = kunit_driver::expect_message("resources present before probing", || {
                dev.probe(&driver)
            });
            ensure!(refused == Err(EBUSY), "over a leftover: {refused:?}");
            context.ensure_found(&[])?;

            // Drops only the leftover, so that the next probe registers nothing.
            let left = context.kept.lock().remove(1).map_err(|_| EINVAL)?;
            drop(left);
            context.log.ensure(&[2])?;
        }

        ensure_ok!(dev.probe(&driver), "the next probe");
        context.ensure_found(&[Err(ENXIO)])?;
        Ok(())
    }

    /// A resource that a release callback registers is released when the device is removed, unless
    /// unbind has done that: `device_del()` calls `devres_release_all()` once more. The release
    /// does not wait for the last reference to the device, which the resource may hold.
    #[test]
    fn removal_releases_leftover() -> Result {
        let (driver, context, mut dev) = test(Phases {
            probe: |context, dev| context.register(dev, CALLS),
            release: |context, dev| {
                // If this fails, the test finds the resource missing.
                let _ = context.register(dev, 1);
            },
            ..Default::default()
        })?;

        ensure_ok!(dev.probe(&driver), "the probe");
        let reference: ARef<Device> = dev.bound()?.into();
        let (at_unbind, at_removal): (&[i32], &[i32]) = match RELEASES_LATE {
            true => (&[1], &[]),
            false => (&[], &[1]),
        };
        dev.unbind();
        context.log.ensure(at_unbind)?;

        dev.remove();
        context.log.ensure(at_removal)?;
        drop((reference, dev));
        context.log.ensure(&[])
    }

    /// A supplier is `DL_DEV_UNBINDING` before its consumers are unbound. So a very first access on
    /// the supplier fails in the consumer's unbind callback, although no callback of the supplier's
    /// driver was called yet. With `prepare()` it succeeds.
    #[test]
    fn access_on_supplier_in_unbind_of_consumer() -> Result {
        /// `DL_FLAG_AUTOREMOVE_CONSUMER`, a macro that bindgen does not evaluate.
        const AUTOREMOVE_CONSUMER: u32 = 1 << 1;

        for is_prepared in [false, true] {
            let (driver, _of_supplier, mut supplier) = test(Phases {
                probe: prepare_if_asked,
                is_prepared,
                ..Default::default()
            })?;
            let context = Context::new(Phases {
                unbind: |context, _| {
                    let supplier = context.other.lock().clone();
                    if let Some(supplier) = supplier {
                        // SAFETY: The supplier is unbound after its consumer.
                        context.look(0, unsafe { supplier.as_bound() }, 1);
                    }
                },
                ..Default::default()
            })?;
            let consumer = TestDevice::new(context.clone())?;

            ensure_ok!(supplier.probe(&driver), "the probe of the supplier");
            ensure_ok!(consumer.probe(&driver), "the probe of the consumer");
            *context.other.lock() = Some(supplier.bound()?.into());
            // SAFETY: Both devices are registered.
            let link = unsafe {
                bindings::device_link_add(consumer.as_raw(), supplier.as_raw(), AUTOREMOVE_CONSUMER)
            };
            ensure!(!link.is_null(), "the devices are not linked");

            supplier.unbind();
            ensure!(consumer.bound().is_err(), "the consumer is still bound");
            let (here, next) = if is_prepared {
                (Ok(()), Err(ENXIO))
            } else {
                (Err(ENXIO), Ok(()))
            };
            context.ensure_found(&[here])?;
            context.log.ensure(if is_prepared { &[1] } else { &[] })?;

            ensure_ok!(supplier.probe(&driver), "the next probe");
            context.look(0, supplier.bound()?, 2);
            context.ensure_found(&[next])?;
        }
        Ok(())
    }
}
