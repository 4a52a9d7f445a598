// SPDX-License-Identifier: GPL-2.0

//! Uses of a slot while its device is being unbound, by callbacks on other threads and by the
//! destructor of the resource. Also releases of a group that has the slots' place.

use super::{
    kunit_machine::expect_splat,
    kunit_support::{
        completion,
        ensure,
        ensure_ok,
        fail,
        skip,
        FailNth,
        TestDevice,
        Thread, //
    },
    place,
    prepare,
    register,
    register_foreign,
    Batched,
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
    new_lazy, new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex,
        SetOnce, //
    },
    types::{
        Opaque,
        ScopeGuard, //
    },
};
use core::ptr;

/// A resource with memory of its own. Its drop is counted.
struct Counted {
    value: KBox<i32>,
    dropped: Arc<Atomic<i32>>,
}

impl Counted {
    fn new(dropped: &Arc<Atomic<i32>>) -> Result<Self> {
        Ok(Self {
            value: KBox::new(VALUE, GFP_KERNEL)?,
            dropped: dropped.clone(),
        })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Relaxed);
    }
}

/// The value of each resource.
const VALUE: i32 = 7;

/// An owner of a slot, and of a `Batched` that is made later.
#[pin_data]
struct Owner {
    #[pin]
    counted: Lazy<Counted>,
    batched: SetOnce<Pin<KBox<Batched<Counted>>>>,
    dropped: Arc<Atomic<i32>>,
}

impl Owner {
    fn new(dropped: &Arc<Atomic<i32>>) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                counted <- new_lazy!("Owner::counted"),
                batched: SetOnce::new(),
                dropped: dropped.clone(),
            }),
            GFP_KERNEL,
        )
    }

    fn populate<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Counted> {
        self.counted
            .get_or_populate(dev, || Counted::new(&self.dropped))
    }

    fn make_batched(&self, dev: &Device<Bound>) -> Result {
        let made = Batched::new(dev, Counted::new(&self.dropped)?);
        self.batched.populate(KBox::pin_init(made, GFP_KERNEL)?);
        Ok(())
    }
}

/// How a callback gets its resource.
#[derive(Clone, Copy)]
struct Shape {
    /// Runs on the test's own thread, after the registration.
    elsewhere: fn(&Owner, &Device<Bound>) -> Result,
    /// The accessor that the callback calls.
    access: for<'a> fn(&'a Owner, &'a Device<Bound>) -> Result<&'a Counted>,
}

impl Shape {
    /// The callback populates the slot.
    const OWN: Self = Self {
        elsewhere: |_, _| Ok(()),
        access: |owner, dev| match owner.counted.get(dev) {
            Some(counted) => Ok(counted),
            None => owner.populate(dev),
        },
    };

    /// Another thread populates the slot.
    const POPULATED: Self = Self {
        elsewhere: |owner, dev| owner.populate(dev).map(|_| ()),
        access: |owner, dev| owner.counted.get(dev).ok_or(ENXIO),
    };

    /// Another thread makes a `Batched`.
    const BATCHED: Self = Self {
        elsewhere: Owner::make_batched,
        access: |owner, dev| owner.batched.as_ref().ok_or(ENXIO)?.access(dev),
    };
}

/// How a registration is added to the device.
#[derive(Clone, Copy, PartialEq)]
enum Registering {
    Ours,
    /// The control, as `register()` of Linux 7.3: it does not take the slots' place.
    NotPrepared,
}

impl Registering {
    fn register<T: Send + 'static>(self, dev: &Device<Bound>, registration: T) -> Result {
        match self {
            Self::Ours => register(dev, registration, GFP_KERNEL),
            Self::NotPrepared => register_foreign(dev, KBox::new(registration, GFP_KERNEL)?),
        }
    }
}

/// The state that a callback sees when unbind has begun: whether the resource was dropped, its
/// value, and the value at the next access.
type Used = (bool, i32, Result<i32>);

/// Has a callback on another thread use a resource while unbind begins, until the registration's
/// drop has waited for the callback. `read_dropped` reads the value of a resource that was dropped.
fn lend(registering: Registering, shape: Shape, read_dropped: fn(&i32) -> i32) -> Result<Used> {
    let dropped = Arc::new(Atomic::new(0), GFP_KERNEL)?;
    let mut dev = TestDevice::new()?;
    let owner = Owner::new(&dropped)?;

    let (registered, using, unbinding) = (completion()?, completion()?, completion()?);
    let callback = {
        let (owner, dropped) = (owner.clone(), dropped.clone());
        let (registered, using) = (registered.clone(), using.clone());
        let unbinding = unbinding.clone();
        let dev: &Device<Bound> = dev.bound()?.as_ref();
        let dev: ARef<Device> = dev.into();
        Thread::new(move || -> Result<Used> {
            registered.wait_for_completion();
            // SAFETY: The registration's drop, which unbind waits for, waits for this thread.
            let dev = unsafe { dev.as_bound() };
            let value = (shape.access)(&owner, dev).map(|counted| &*counted.value);
            using.complete_all();
            let value: &i32 = value?;

            unbinding.wait_for_completion();
            let is_dropped = dropped.load(Relaxed) != 0;
            let used = if is_dropped {
                read_dropped(value)
            } else {
                *value
            };
            let again = (shape.access)(&owner, dev).map(|counted| *counted.value);
            Ok((is_dropped, used, again))
        })?
    };
    callback.start();

    let found = Arc::pin_init(new_mutex!(Err(EAGAIN)), GFP_KERNEL)?;
    let registration = {
        let found = found.clone();
        ScopeGuard::new(move || {
            unbinding.complete_all();
            *found.lock() = callback.join().and_then(|found| found);
        })
    };
    registering.register(dev.bound()?.as_ref(), registration)?;
    (shape.elsewhere)(&owner, dev.bound()?.as_ref())?;
    registered.complete_all();
    using.wait_for_completion();

    dev.unbind();
    let dropped = dropped.load(Relaxed);
    ensure!(dropped == 1, "dropped {dropped} times");
    let found: Result<Used> = *found.lock();
    found
}

/// Runs [`lend()`] with both functions. `register()` must keep the resource until the callback
/// ends, and the control must drop it too early.
fn ensure_lent(shape: Shape) -> Result {
    let held = lend(Registering::Ours, shape, |_| 0);
    ensure!(
        held == Ok((false, VALUE, Ok(VALUE))),
        "by register(): {held:?} (dropped, value, next access)"
    );

    let caught = lend(Registering::NotPrepared, shape, |_| 0);
    ensure!(
        caught == Ok((true, 0, Err(ENXIO))),
        "by the control: {caught:?} (dropped, value, next access)"
    );
    Ok(())
}

/// The state of a resource's own slot while the resource is dropped: whether `get()` returns it,
/// whether `try_access()` does, and the error of another population.
type Found = (bool, bool, Option<Error>);

/// A resource that looks into its own slot when it is dropped.
struct Dying {
    slot: *const Lazy<Self>,
    dev: ARef<Device>,
    found: Arc<Mutex<Option<Found>>>,
}

// SAFETY: The slot may be used on any thread.
unsafe impl Send for Dying {}

// SAFETY: The slot may be used on any thread.
unsafe impl Sync for Dying {}

impl Drop for Dying {
    fn drop(&mut self) {
        // SAFETY: The slot is not freed before its resource is dropped.
        let slot = unsafe { &*self.slot };
        // SAFETY: The device is bound, or being unbound.
        let dev = unsafe { self.dev.as_bound() };

        let again = slot.get_or_populate(dev, || -> Result<Self> { Err(EIO) });
        let found = (
            slot.get(dev).is_some(),
            slot.try_access().is_some(),
            again.err(),
        );
        *self.found.lock() = Some(found);
    }
}

type DyingSlot = Pin<KBox<Lazy<Dying>>>;

/// A group of managed resources, which is released when this is dropped.
struct Group<'a> {
    dev: &'a Device<Bound>,
    id: *mut c_void,
}

impl<'a> Group<'a> {
    fn open(dev: &'a Device<Bound>) -> Result<Self> {
        // SAFETY: `dev` is valid. For a null pointer, devres chooses the identity of the group.
        let id = unsafe {
            bindings::devres_open_group(dev.as_raw(), ptr::null_mut(), GFP_KERNEL.as_raw())
        };
        if id.is_null() {
            return Err(ENOMEM);
        }

        Ok(Self { dev, id })
    }

    fn close(&self) {
        // SAFETY: The group is on the device.
        unsafe { bindings::devres_close_group(self.dev.as_raw(), self.id) };
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        // SAFETY: The group is on the device.
        unsafe { bindings::devres_release_group(self.dev.as_raw(), self.id) };
    }
}

/// A notifier that registers a resource when the driver of a device is about to be removed. By
/// then, the driver core has marked the device as being unbound.
#[repr(C)]
#[pin_data(PinnedDrop)]
struct UnbindNotifier {
    /// The first field, so that a pointer to it is also one to the notifier.
    #[pin]
    block: Opaque<bindings::notifier_block>,
    dev: ARef<Device>,
    late: Arc<Atomic<i32>>,
    #[pin]
    registered: Mutex<Option<Result>>,
}

impl UnbindNotifier {
    /// Adds a notifier to the bus of `dev`.
    fn new(dev: &Device<Bound>, late: &Arc<Atomic<i32>>) -> Result<Pin<KBox<Self>>> {
        let this = KBox::pin_init(
            pin_init!(Self {
                block <- Opaque::ffi_init(|block: *mut bindings::notifier_block| {
                    let new = bindings::notifier_block {
                        notifier_call: Some(Self::notify),
                        ..pin_init::zeroed()
                    };
                    // SAFETY: `block` is valid for writes.
                    unsafe { block.write(new) };
                }),
                dev: dev.into(),
                late: late.clone(),
                registered <- new_mutex!(None),
            }),
            GFP_KERNEL,
        )?;
        // SAFETY: The block is initialised and pinned, and `drop()` removes it from the bus.
        to_result(unsafe { bindings::bus_register_notifier(this.bus(), this.block.get()) })?;

        Ok(this)
    }

    fn bus(&self) -> *const bindings::bus_type {
        // SAFETY: The device is valid, and its bus does not change.
        unsafe { (*self.dev.as_raw()).bus }
    }

    /// Registers a resource if the driver of the notifier's device is about to be removed.
    ///
    /// # Safety
    ///
    /// `block` belongs to an `UnbindNotifier` on the bus of `dev`, a valid device.
    unsafe extern "C" fn notify(
        block: *mut bindings::notifier_block,
        event: c_ulong,
        dev: *mut c_void,
    ) -> c_int {
        // CAST: `block` is the first field.
        // SAFETY: The notifier is valid while its block is on the bus.
        let this = unsafe { &*block.cast::<Self>() };
        let is_unbound = event == bindings::bus_notifier_event_BUS_NOTIFY_UNBIND_DRIVER as c_ulong;
        if is_unbound && ptr::eq(this.dev.as_raw(), dev.cast()) {
            // SAFETY: Unbind, which releases the device's resources later, waits for this function.
            let dev = unsafe { this.dev.as_bound() };
            let registered = Counted::new(&this.late).and_then(|it| register(dev, it, GFP_KERNEL));
            *this.registered.lock() = Some(registered);
        }

        0
    }
}

#[pinned_drop]
impl PinnedDrop for UnbindNotifier {
    fn drop(self: Pin<&mut Self>) {
        // The status is ignored: if the block is not on the bus, nothing has to be removed.
        // SAFETY: `block` is initialised.
        unsafe { bindings::bus_unregister_notifier(self.bus(), self.block.get()) };
    }
}

#[kunit_tests(rust_devres_lazy_callbacks)]
mod tests {
    use super::*;

    /// The callback populates the slot itself.
    #[test]
    fn lent_to_a_callback() -> Result {
        ensure_lent(Shape::OWN)
    }

    /// Another thread populates the slot, after the registration.
    #[test]
    fn lent_after_another_population() -> Result {
        ensure_lent(Shape::POPULATED)
    }

    /// The callback uses a `Batched` that was made after the registration.
    #[test]
    fn lent_from_batched() -> Result {
        ensure_lent(Shape::BATCHED)
    }

    /// A registration that comes before the first population is dropped first, and after
    /// `prepare()` so is a `Devres`. The control's registration is dropped last.
    #[test]
    fn order_of_registrations() -> Result {
        for (registering, is_prepared) in [
            (Registering::Ours, false),
            (Registering::Ours, true),
            (Registering::NotPrepared, false),
        ] {
            let dropped = Arc::new(Atomic::new(0), GFP_KERNEL)?;
            let found = Arc::new(Atomic::new(-1), GFP_KERNEL)?;
            let mut dev = TestDevice::new()?;
            let owner = Owner::new(&dropped)?;
            let look = {
                let (found, dropped) = (found.clone(), dropped.clone());
                ScopeGuard::new(move || found.store(dropped.load(Relaxed), Relaxed))
            };

            let _registration = if is_prepared {
                prepare(dev.bound()?.as_ref())?;
                Some(Devres::new(dev.bound()?.as_ref(), look)?)
            } else {
                registering.register(dev.bound()?.as_ref(), look)?;
                None
            };
            owner.populate(dev.bound()?.as_ref())?;

            dev.unbind();
            let found = found.load(Relaxed);
            let expected = i32::from(registering == Registering::NotPrepared);
            ensure!(
                found == expected,
                "prepared: {is_prepared}, {found} dropped before, not {expected}"
            );
            let dropped = dropped.load(Relaxed);
            ensure!(dropped == 1, "dropped {dropped} times");
        }
        Ok(())
    }

    /// `register()` succeeds in a devres callback while unbind is under way. First accesses fail by
    /// then, so the slots need no place.
    #[test]
    fn register_during_unbind() -> Result {
        for is_placed in [false, true] {
            let dropped = Arc::new(Atomic::new(0), GFP_KERNEL)?;
            let late = Arc::new(Atomic::new(0), GFP_KERNEL)?;
            let mut dev = TestDevice::new()?;
            let owner = Owner::new(&dropped)?;
            let results = Arc::pin_init(new_mutex!(None), GFP_KERNEL)?;

            let callback = {
                let (owner, late, results) = (owner.clone(), late.clone(), results.clone());
                let dev: &Device<Bound> = dev.bound()?.as_ref();
                let dev: ARef<Device> = dev.into();
                ScopeGuard::new(move || {
                    // SAFETY: Unbind is waiting for this callback.
                    let dev = unsafe { dev.as_bound() };
                    let registered =
                        Counted::new(&late).and_then(|it| register(dev, it, GFP_KERNEL));
                    *results.lock() = Some((registered, owner.populate(dev).map(|_| ())));
                })
            };
            let older = Devres::new(dev.bound()?.as_ref(), callback)?;
            if is_placed {
                prepare(dev.bound()?.as_ref())?;
            }

            dev.unbind();
            let results: Option<(Result, Result)> = *results.lock();
            ensure!(
                results == Some((Ok(()), Err(ENXIO))),
                "placed: {is_placed}, {results:?} (register, first access)"
            );
            // The registration is released with the device.
            drop((older, dev));
            let (late, dropped) = (late.load(Relaxed), dropped.load(Relaxed));
            ensure!(late == 1 && dropped == 0, "dropped: {late}, {dropped}");
        }
        Ok(())
    }

    /// A registration that is made in unbind before devres releases anything, as in the driver's
    /// `remove()`, is dropped by the same unbind.
    #[test]
    fn register_during_remove() -> Result {
        for is_placed in [false, true] {
            let late = Arc::new(Atomic::new(0), GFP_KERNEL)?;
            let mut dev = TestDevice::new()?;
            if is_placed {
                prepare(dev.bound()?.as_ref())?;
            }
            let notifier = UnbindNotifier::new(dev.bound()?.as_ref(), &late)?;

            dev.unbind();
            let registered: Option<Result> = *notifier.registered.lock();
            ensure!(
                registered == Some(Ok(())),
                "placed: {is_placed}, {registered:?}"
            );
            let late = late.load(Relaxed);
            ensure!(late == 1, "unbind has dropped it {late} times");
            ensure_ok!(dev.rebind(), "the next binding");
        }
        Ok(())
    }

    /// Without memory for the slots' registry, or for the registration, nothing is registered.
    #[test]
    fn register_without_memory() -> Result {
        if !FailNth::AVAILABLE {
            return skip(c"needs failslab");
        }

        let mut failed = 0;
        for nth in 1..100 {
            let dropped = Arc::new(Atomic::new(0), GFP_KERNEL)?;
            // A new device each time, as the slots' registry is allocated once.
            let mut dev = TestDevice::new()?;
            let registration = Counted::new(&dropped)?;
            let fault = FailNth::new(nth)?;
            let result = register(dev.bound()?.as_ref(), registration, GFP_KERNEL);
            let tripped = fault.tripped();
            drop(fault);

            // The call also succeeds if some of its allocations fail.
            let expected = i32::from(result.is_err());
            let count = dropped.load(Relaxed);
            ensure!(
                count == expected && (result == Ok(()) || result == Err(ENOMEM)),
                "allocation {nth}: {result:?}, {count} dropped"
            );
            failed += expected;

            dev.unbind();
            let count = dropped.load(Relaxed);
            ensure!(count == 1, "allocation {nth}: {count} dropped by unbind");
            // The device can be bound, as nothing is left on its list.
            ensure_ok!(dev.rebind(), "the next binding");
            if !tripped {
                ensure!(failed >= 4, "{failed} allocations matter");
                return Ok(());
            }
        }

        fail!("there is no end of allocations")
    }

    /// The destructor of a resource finds its own slot empty and cannot populate it, whether the
    /// owner, `revoke()` or unbind drops the resource.
    #[test]
    fn slot_of_a_dying_resource() -> Result {
        let ends: [fn(DyingSlot) -> Option<DyingSlot>; 3] = [
            |slot| {
                drop(slot);
                None
            },
            |mut slot| {
                slot.as_mut().revoke();
                Some(slot)
            },
            Some,
        ];

        for end in ends {
            let mut dev = TestDevice::new()?;
            let found = Arc::pin_init(new_mutex!(None), GFP_KERNEL)?;
            let slot: DyingSlot = KBox::pin_init(new_lazy!("Dying::slot"), GFP_KERNEL)?;
            let bound: &Device<Bound> = dev.bound()?.as_ref();
            slot.get_or_populate(bound, || {
                Ok(Dying {
                    slot: &raw const *slot,
                    dev: bound.into(),
                    found: found.clone(),
                })
            })?;

            let slot = end(slot);
            dev.unbind();
            let found: Option<Found> = *found.lock();
            ensure!(
                found == Some((false, false, Some(ENXIO))),
                "found {found:?}"
            );
            drop(slot);
        }
        Ok(())
    }

    /// Releasing a group while the device stays bound drops the slots' resources if the first
    /// population was in the group. The resources stay if `prepare()` or `register()` was called
    /// before.
    #[test]
    fn group() -> Result {
        let places: [fn(&Device<Bound>) -> Result; 3] =
            [|_| Ok(()), prepare, |dev| register(dev, (), GFP_KERNEL)];

        for (number, place) in places.into_iter().enumerate() {
            let dropped = Arc::new(Atomic::new(0), GFP_KERNEL)?;
            let dev = TestDevice::new()?;
            let (inside, behind) = (Owner::new(&dropped)?, Owner::new(&dropped)?);
            let bound: &Device<Bound> = dev.bound()?.as_ref();
            place(bound)?;

            let group = Group::open(bound)?;
            inside.populate(bound)?;
            group.close();
            behind.populate(bound)?;
            drop(group);

            let is_there = [&inside, &behind].map(|owner| owner.counted.get(bound).is_some());
            ensure!(
                is_there == [number > 0; 2],
                "place {number}, found {is_there:?}"
            );
            drop((inside, behind));
            let dropped = dropped.load(Relaxed);
            ensure!(dropped == 2, "dropped {dropped}, and not 2");
        }
        Ok(())
    }

    /// Another thread registers while a group that contains the slots' place is released. The
    /// registration succeeds, and takes a new place.
    ///
    /// The threads take the place as `register()` does, and add no entries that the next round
    /// would have to search.
    #[test]
    fn register_while_a_group_is_released() -> Result {
        const ROUNDS: usize = 20_000;

        let dev = TestDevice::new()?;
        let bound: &Device<Bound> = dev.bound()?.as_ref();
        let is_over = Arc::new(Atomic::new(0), GFP_KERNEL)?;
        let registering = {
            let is_over = is_over.clone();
            let dev: ARef<Device> = bound.into();
            Thread::new(move || -> Result {
                // SAFETY: The test waits for this thread before it unbinds the device.
                let dev = unsafe { dev.as_bound() };
                while is_over.load(Relaxed) == 0 {
                    place::take(dev)?;
                }
                Ok(())
            })?
        };
        registering.start();
        let released = (0..ROUNDS).try_for_each(|_| -> Result {
            let group = Group::open(bound)?;
            place::take(bound)?;
            group.close();
            Ok(())
        });
        is_over.store(1, Relaxed);

        let registered = registering.join()?;
        ensure!(released == Ok(()), "with the group: {released:?}");
        ensure!(registered == Ok(()), "on the other thread: {registered:?}");
        Ok(())
    }
}

// A separate suite, to be run alone: KASAN reports once, and lockdep is silent from then on.
#[kunit_tests(rust_lazy_kasan)]
mod kasan {
    use super::*;

    /// With the control's registration, the callback reads freed memory.
    #[test]
    fn use_after_free() -> Result {
        if !cfg!(CONFIG_KASAN) {
            return skip(c"needs CONFIG_KASAN");
        }

        let held = lend(Registering::Ours, Shape::OWN, |_| 0);
        ensure!(
            held == Ok((false, VALUE, Ok(VALUE))),
            "by register(): {held:?} (dropped, value, next access)"
        );
        let caught = expect_splat("KASAN: slab-use-after-free", || {
            lend(Registering::NotPrepared, Shape::OWN, |value| *value)
        });
        let is_caught = matches!(caught, Ok((true, _, Err(error))) if error == ENXIO);
        ensure!(
            is_caught,
            "by the control: {caught:?} (dropped, value, next access)"
        );
        Ok(())
    }
}
