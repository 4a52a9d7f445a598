// SPDX-License-Identifier: GPL-2.0

//! The contract of a lazy field, row by row, for a resource that an initialiser makes.
//!
//! The tests have their own object and resources, so a test can stop a thread while a resource is
//! made, and while one is dropped.

use super::{
    kunit_gate::Gate,
    kunit_lockdep,
    kunit_machine::expect_splat,
    kunit_support::{
        comes_true,
        comes_true_with,
        completion,
        ensure,
        ensure_ok,
        fail,
        meet,
        skip,
        FailNth,
        TestDevice,
        Thread,
        GRACE, //
    },
    Devres,
    Lazy, //
};
use crate::{
    alloc::AllocError,
    device::{
        Bound,
        Device, //
    },
    devres_lazy,
    new_lazy,
    new_mutex,
    prelude::*,
    processor::cpu_relax,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Full,
            Relaxed, //
        },
        rcu,
        Arc,
        Completion,
        Mutex, //
    },
    time::Delta,
    types::ScopeGuard, //
};
use core::ptr;

/// The time limit of an event that must happen, on a slow and busy machine.
const PATIENCE: Delta = Delta::from_secs(20);

/// A test's plan for the resources of its objects, and its view of them.
#[pin_data]
struct Probe {
    /// How many resources were made.
    made: Atomic<i32>,
    /// How many resources were dropped.
    dropped: Atomic<i32>,
    /// How often an accessor has asked for its object's device, which only the slow path does.
    asked: Atomic<i32>,
    /// The error of making the next resource.
    #[pin]
    next_error: Mutex<Option<Error>>,
    /// The names of the resources that were dropped last, as the digits of a number.
    order: Atomic<i32>,
    /// Making a resource passes this gate.
    #[pin]
    make_gate: Gate,
    /// Dropping a resource passes this gate.
    #[pin]
    drop_gate: Gate,
}

impl Probe {
    fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                made: Atomic::new(0),
                dropped: Atomic::new(0),
                asked: Atomic::new(0),
                next_error <- new_mutex!(None),
                order: Atomic::new(0),
                make_gate <- Gate::new(),
                drop_gate <- Gate::new(),
            }),
            GFP_KERNEL,
        )
    }

    fn fail_next(&self, error: Error) {
        *self.next_error.lock() = Some(error);
    }

    /// Fails as planned.
    fn planned(&self) -> Result {
        self.make_gate.pass();
        self.next_error.lock().take().map_or(Ok(()), Err)
    }

    /// Returns an object's device, and counts the call.
    fn ask<'a>(&self, dev: &'a Device) -> &'a Device {
        self.asked.fetch_add(1, Full);
        dev
    }

    fn asked(&self) -> i32 {
        self.asked.load(Relaxed)
    }

    fn made(&self) -> i32 {
        self.made.load(Relaxed)
    }

    fn dropped(&self) -> i32 {
        self.dropped.load(Relaxed)
    }

    /// Returns the number of resources that are left. Negative if one was dropped twice.
    fn live(&self) -> i32 {
        self.made() - self.dropped()
    }

    /// Notes that `name` was dropped.
    fn note(&self, name: i32) {
        // Only one thread drops at a time, and the other one waits.
        let order = self.order.load(Relaxed);
        self.order.store((order * 10 + name) % 10_000, Relaxed);
    }

    fn order(&self) -> i32 {
        self.order.load(Relaxed)
    }
}

/// A resource that must not move, with the address at which it was made.
#[pin_data(PinnedDrop)]
struct Resource {
    /// The resource's number, from 1 in the order of creation.
    id: i32,
    name: i32,
    address: usize,
    /// Pins the resource.
    #[pin]
    lock: Mutex<()>,
    probe: Arc<Probe>,
}

impl Resource {
    /// Fails half-way if a failure is planned, after other fields were initialised.
    fn new(name: i32, probe: &Arc<Probe>) -> impl PinInit<Self, Error> + '_ {
        try_pin_init!(&this in Self {
            name,
            address: this.as_ptr().addr(),
            lock <- new_mutex!(()),
            probe: probe.clone(),
            id: {
                probe.planned()?;
                probe.made.fetch_add(1, Full) + 1
            },
        })
    }
}

#[pinned_drop]
impl PinnedDrop for Resource {
    fn drop(self: Pin<&mut Self>) {
        self.probe.drop_gate.pass();
        self.probe.note(self.name);
        self.probe.dropped.fetch_add(1, Full);
    }
}

/// The object of most tests.
#[devres_lazy]
#[pin_data]
struct Object {
    dev: ARef<Device>,
    probe: Arc<Probe>,

    /// The object's resource.
    #[lazy(
        fn resource -> Resource,
        device = self.probe.ask(&self.dev),
        init = Resource::new(1, &self.probe),
        peek = resource_if_made,
        try_access = try_resource,
        revoke = drop_resource,
    )]
    resource: Resource,
}

impl Object {
    fn new(dev: &Device<Bound>, probe: &Arc<Probe>) -> Result<Arc<Self>> {
        Arc::pin_init(Self::init(dev, probe), GFP_KERNEL)
    }

    fn init<'a>(
        dev: &'a Device<Bound>,
        probe: &'a Arc<Probe>,
    ) -> impl PinInit<Self, core::convert::Infallible> + 'a {
        pin_init!(Self {
            dev: dev.into(),
            probe: probe.clone(),
            resource <- new_lazy!("Object::resource"),
        })
    }

    /// Calls the accessor, and returns the number of the resource.
    fn access(&self, dev: &Device<Bound>) -> Result<i32> {
        self.resource(dev).map(|resource| resource.id)
    }

    fn peek(&self, dev: &Device<Bound>) -> Result<Option<i32>> {
        let resource = self.resource_if_made(dev)?;

        Ok(resource.map(|resource| resource.id))
    }
}

/// An object with several lazy fields, one for each form that `init` may have.
#[devres_lazy]
#[pin_data]
struct Several {
    dev: ARef<Device>,
    probe: Arc<Probe>,

    /// Made by an initialiser that pins.
    #[lazy(fn first -> Resource, device = &self.dev, init = Resource::new(1, &self.probe))]
    first: Resource,

    /// Made by an expression that fails before there is an initialiser.
    #[lazy(
        fn second,
        device = &self.dev,
        init = {
            self.probe.planned()?;
            Resource::new(2, &self.probe)
        },
    )]
    second: Resource,

    /// Made by value, with an error of another type. The accessor returns the target of `Deref`.
    #[lazy(
        fn third -> Resource,
        device = &self.dev,
        init = {
            let resource: Result<_, AllocError> =
                KBox::pin_init(Resource::new(3, &self.probe), GFP_KERNEL).map_err(|_| AllocError);
            resource
        },
    )]
    third: Pin<KBox<Resource>>,
}

impl Several {
    fn new(dev: &Device<Bound>, probe: &Arc<Probe>) -> Result<Pin<KBox<Self>>> {
        let init = pin_init!(Self {
            dev: dev.into(),
            probe: probe.clone(),
            first <- new_lazy!("Several::first"),
            second <- new_lazy!("Several::second"),
            third <- new_lazy!("Several::third"),
        });

        KBox::pin_init(init, GFP_KERNEL)
    }
}

/// An object with a destructor of its own.
#[devres_lazy]
#[pin_data(PinnedDrop)]
struct Destructor {
    dev: ARef<Device>,
    probe: Arc<Probe>,

    #[lazy(fn resource -> Resource, device = &self.dev, init = Resource::new(1, &self.probe))]
    resource: Resource,
}

impl Destructor {
    fn new(dev: &Device<Bound>, probe: &Arc<Probe>) -> Result<Pin<KBox<Self>>> {
        let init = pin_init!(Self {
            dev: dev.into(),
            probe: probe.clone(),
            resource <- new_lazy!("Destructor::resource"),
        });

        KBox::pin_init(init, GFP_KERNEL)
    }
}

#[devres_lazy]
#[pinned_drop]
impl PinnedDrop for Destructor {
    fn drop(self: Pin<&mut Self>) {
        self.probe.note(9);
    }
}

/// An object whose initialiser calls the accessor of another one.
#[devres_lazy]
#[pin_data]
struct Nested {
    dev: ARef<Device>,
    inner: Option<Arc<Nested>>,

    #[lazy(
        fn depth -> u32,
        device = &self.dev,
        init = match &self.inner {
            Some(inner) => inner.depth(dev)? + 1,
            None => 0,
        },
    )]
    depth: u32,
}

impl Nested {
    fn new(dev: &Device<Bound>, inner: Option<Arc<Nested>>) -> Result<Arc<Self>> {
        let init = pin_init!(Self {
            dev: dev.into(),
            inner,
            depth <- new_lazy!("Nested::depth"),
        });

        Arc::pin_init(init, GFP_KERNEL)
    }
}

#[kunit_tests(rust_devres_lazy_slot)]
mod tests {
    use super::*;

    /// Access to a populated slot with the right device returns `Ok`, without a lock or an
    /// allocation.
    #[test]
    fn success_path() -> Result {
        let probe = Probe::new()?;
        let dev = TestDevice::new()?;
        let dev = dev.bound()?.as_ref();
        let object = Object::new(dev, &probe)?;

        let first = ensure_ok!(object.access(dev), "the first access");
        let asked = probe.asked();

        // The RCU read lock forbids sleeping, and the locks of the slow path sleep.
        let fault = FailNth::AVAILABLE.then(|| FailNth::new(1)).transpose()?;
        for _ in 0..100 {
            let rcu = rcu::read_lock();
            let again = object.access(dev);
            drop(rcu);
            ensure!(again == Ok(first), "resource {first}, then {again:?}");
        }
        let has_allocated = fault.is_some_and(|fault| fault.tripped());

        ensure!(!has_allocated, "a later access allocates");
        ensure!(probe.asked() == asked, "a later access is slow");
        ensure!(probe.made() == 1, "{} resources were made", probe.made());
        Ok(())
    }

    /// Racing first accesses make one resource, and return the same one to all callers.
    #[test]
    fn racing_first_access() -> Result {
        const THREADS: usize = 8;

        let probe = Probe::new()?;
        let test_dev = TestDevice::new()?;
        let dev = test_dev.bound()?.as_ref();
        let object = Object::new(dev, &probe)?;

        let mut threads = KVec::with_capacity(THREADS, GFP_KERNEL)?;
        for _ in 0..THREADS {
            let (object, dev) = (object.clone(), ARef::<Device>::from(dev));
            let thread = Thread::new(move || {
                // SAFETY: The device is unbound when `test_dev` is dropped, after `threads`, which
                // waits for this thread.
                let dev = unsafe { dev.as_bound() };
                object.access(dev)
            })?;
            threads.push(thread, GFP_KERNEL)?;
        }

        // The first thread waits at the gate until all threads are on the slow path.
        probe.make_gate.close();
        for thread in &threads {
            thread.start();
        }
        let is_full = comes_true(PATIENCE, || probe.asked() == THREADS as i32);
        probe.make_gate.open();

        for thread in threads {
            let id = ensure_ok!(thread.join()?, "a thread");
            ensure!(id == 1, "a thread got resource {id}");
        }
        ensure!(is_full, "{} threads came to the slow path", probe.asked());
        ensure!(probe.made() == 1, "{} resources were made", probe.made());
        Ok(())
    }

    /// If the populating caller fails, a caller that waits for it populates the slot.
    #[test]
    fn waiting_for_a_failure() -> Result {
        let probe = Probe::new()?;
        let test_dev = TestDevice::new()?;
        let dev = test_dev.bound()?.as_ref();
        let object = Object::new(dev, &probe)?;

        let thread = || {
            let (object, dev) = (object.clone(), ARef::<Device>::from(dev));
            Thread::new(move || {
                // SAFETY: The device is unbound when `test_dev` is dropped, after the threads,
                // which are waited for.
                let dev = unsafe { dev.as_bound() };
                object.access(dev)
            })
        };
        let (first, second) = (thread()?, thread()?);

        probe.fail_next(EIO);
        probe.make_gate.close();
        first.start();
        probe.make_gate.wait_for_a_thread();
        second.start();
        let waits = comes_true(PATIENCE, || probe.asked() == 2);
        probe.make_gate.open();

        let (first, second) = (first.join()?, second.join()?);
        ensure!(waits, "the second caller is not on the slow path");
        ensure!(first == Err(EIO), "the caller that fails: {first:?}");
        ensure!(second == Ok(1), "the caller that has waited: {second:?}");
        ensure!(probe.made() == 1, "{} resources were made", probe.made());
        Ok(())
    }

    /// A first access inside the slot's own initialiser fails with `EDEADLK`, and changes nothing
    /// else.
    #[test]
    fn access_in_its_own_initialiser() -> Result {
        let dev = TestDevice::new()?;
        let dev = dev.bound()?.as_ref();
        let slot = KBox::pin_init(new_lazy!(), GFP_KERNEL)?;
        let slot: Pin<KBox<Lazy<u32>>> = slot;

        let mut again = Ok(0);
        let value = slot.get_or_populate(dev, || {
            again = slot.get_or_populate(dev, || Ok(1)).copied();
            Ok(42)
        });
        ensure!(again == Err(EDEADLK), "in its own initialiser: {again:?}");
        ensure!(value == Ok(&42), "around that: {value:?}");

        // The same where the initialiser returns that error.
        let slot = KBox::pin_init(new_lazy!(), GFP_KERNEL)?;
        let slot: Pin<KBox<Lazy<u32>>> = slot;
        let value = slot.get_or_populate(dev, || slot.get_or_populate(dev, || Ok(1)).copied());
        ensure!(value == Err(EDEADLK), "passed on: {value:?}");
        let value = slot.get_or_populate(dev, || Ok(43)).copied();
        ensure!(value == Ok(43), "the next access: {value:?}");
        Ok(())
    }

    /// Access with any device but the owner's fails with `EINVAL`, before anything is made.
    #[test]
    fn wrong_device() -> Result {
        let probe = Probe::new()?;
        let (dev, other) = (TestDevice::new()?, TestDevice::new()?);
        let (dev, other) = (dev.bound()?.as_ref(), other.bound()?.as_ref());
        let object = Object::new(dev, &probe)?;

        let before = object.access(other);
        ensure!(before == Err(EINVAL), "before populate: {before:?}");
        ensure!(probe.made() == 0, "made for a wrong device");

        ensure_ok!(object.access(dev), "the right device");
        let after = object.access(other);
        ensure!(after == Err(EINVAL), "after populate: {after:?}");
        ensure!(probe.made() == 1, "made for a wrong device");
        Ok(())
    }

    /// If the initialiser fails, the accessor returns its error, and the slot stays empty.
    #[test]
    fn failing_map() -> Result {
        let probe = Probe::new()?;
        let dev = TestDevice::new()?;
        let dev = dev.bound()?.as_ref();
        let object = Object::new(dev, &probe)?;

        for error in [EIO, EAGAIN] {
            probe.fail_next(error);
            let failed = object.access(dev);
            ensure!(failed == Err(error), "expected {error:?}, got {failed:?}");
            ensure!(probe.made() == 0, "{} resources were made", probe.made());

            let peek = object.peek(dev);
            ensure!(peek == Ok(None), "then, peek: {peek:?}");
        }
        ensure!(
            probe.dropped() == 0,
            "a resource that was never made is dropped"
        );

        ensure_ok!(object.access(dev), "then");
        drop(object);
        ensure!(probe.live() == 0, "{} resources are left", probe.live());
        Ok(())
    }

    /// The same if any allocation of the access fails.
    #[test]
    fn failing_allocation() -> Result {
        if !FailNth::AVAILABLE {
            return skip(c"needs CONFIG_FAILSLAB and CONFIG_FAULT_INJECTION_DEBUG_FS");
        }

        let probe = Probe::new()?;

        let mut failed = 0;
        for nth in 1..100 {
            // A new device each time, as the slots' registry is allocated once.
            let dev = TestDevice::new()?;
            let dev = dev.bound()?.as_ref();
            let object = Object::new(dev, &probe)?;
            let fault = FailNth::new(nth)?;
            let result = object.access(dev);
            let tripped = fault.tripped();
            drop(fault);

            // The accessor also succeeds if some of its allocations fail.
            if result.is_err() {
                failed += 1;
                ensure!(tripped, "without a fault: {result:?}");
                ensure!(result == Err(ENOMEM), "allocation {nth}: {result:?}");
                ensure!(
                    probe.live() == 0,
                    "allocation {nth}: {} resources are left",
                    probe.live()
                );
                ensure_ok!(object.access(dev), "the next access");
            }
            drop(object);
            ensure!(probe.live() == 0, "{} resources are left", probe.live());

            if !tripped {
                ensure!(failed > 0, "no allocation matters");
                return Ok(());
            }
        }

        fail!("there is no end of allocations")
    }

    /// Unbind drops the resource exactly once, before it returns. The owner stays.
    #[test]
    fn unbind() -> Result {
        let probe = Probe::new()?;
        let mut dev = TestDevice::new()?;
        let object = Object::new(dev.bound()?.as_ref(), &probe)?;
        ensure_ok!(object.access(dev.bound()?.as_ref()), "the first access");

        dev.unbind();

        ensure!(probe.live() == 0, "{} are left after unbind", probe.live());
        let is_revoked = object.try_resource().is_none();
        ensure!(is_revoked, "a revoked resource is lent");
        drop(object);
        ensure!(probe.dropped() == 1, "dropped {} times", probe.dropped());
        Ok(())
    }

    /// Access fails with `ENXIO` when the same device is bound again.
    #[test]
    fn rebind() -> Result {
        let probe = Probe::new()?;
        let mut dev = TestDevice::new()?;
        let object = Object::new(dev.bound()?.as_ref(), &probe)?;
        ensure_ok!(object.access(dev.bound()?.as_ref()), "the first access");
        dev.unbind();

        for _ in 0..2 {
            dev.rebind()?;
            for _ in 0..2 {
                let again = object.access(dev.bound()?.as_ref());
                ensure!(again == Err(ENXIO), "after a rebind: {again:?}");
            }
            let peek = object.peek(dev.bound()?.as_ref());
            ensure!(peek == Ok(None), "after a rebind, peek: {peek:?}");
            dev.unbind();
        }
        ensure!(probe.made() == 1, "{} resources were made", probe.made());
        Ok(())
    }

    /// Access fails with `ENXIO` in the middle of unbind as well.
    #[test]
    fn access_during_unbind() -> Result {
        let probe = Probe::new()?;
        let mut dev = TestDevice::new()?;
        let object = Object::new(dev.bound()?.as_ref(), &probe)?;
        let result = Arc::pin_init(new_mutex!(None), GFP_KERNEL)?;

        // A `Devres` that is released after the slot, as it was made before the slot's registry.
        let callback = {
            let (object, result) = (object.clone(), result.clone());
            ScopeGuard::new(move || {
                // SAFETY: Unbind is waiting for this callback.
                let dev = unsafe { object.dev.as_bound() };
                *result.lock() = Some(object.access(dev));
            })
        };
        let _older = Devres::new(dev.bound()?.as_ref(), callback)?;
        ensure_ok!(object.access(dev.bound()?.as_ref()), "the first access");

        dev.unbind();

        let result: Option<Result<i32>> = *result.lock();
        ensure!(
            result == Some(Err(ENXIO)),
            "in the middle of unbind: {result:?}"
        );
        ensure!(probe.live() == 0, "{} resources are left", probe.live());
        Ok(())
    }

    /// If unbind comes while a resource is being made, the resource is dropped again, and the
    /// caller gets `ENXIO`.
    #[test]
    fn unbind_during_init() -> Result {
        let probe = Probe::new()?;
        let mut dev = TestDevice::new()?;
        let populated = Object::new(dev.bound()?.as_ref(), &probe)?;
        let object = Object::new(dev.bound()?.as_ref(), &probe)?;
        let result = Arc::pin_init(new_mutex!(None), GFP_KERNEL)?;

        let begin = completion()?;
        let thread = {
            let (begin, object) = (begin.clone(), object.clone());
            Thread::new(move || {
                begin.wait_for_completion();
                // SAFETY: Unbind waits for this thread.
                let dev = unsafe { object.dev.as_bound() };
                object.access(dev)
            })?
        };
        thread.start();
        // A `Devres` that is released after the slots, as it was made before their registry.
        let callback = {
            let (begin, probe, result) = (begin.clone(), probe.clone(), result.clone());
            ScopeGuard::new(move || {
                begin.complete_all();
                probe.make_gate.open();
                *result.lock() = Some(thread.join());
            })
        };
        let _older = Devres::new(dev.bound()?.as_ref(), callback)?;
        ensure_ok!(populated.access(dev.bound()?.as_ref()), "the other slot");

        probe.make_gate.close();
        begin.complete_all();
        probe.make_gate.wait_for_a_thread();
        dev.unbind();

        let result: Option<Result<Result<i32>>> = *result.lock();
        ensure!(
            result == Some(Ok(Err(ENXIO))),
            "populated during unbind: {result:?}"
        );
        ensure!(probe.made() == 2, "{} resources were made", probe.made());
        ensure!(probe.live() == 0, "{} resources are left", probe.live());
        Ok(())
    }

    /// If unbind comes while a resource is being made, a caller that waits for it gets `ENXIO` as
    /// well, and makes nothing.
    #[test]
    fn waiting_during_unbind() -> Result {
        let probe = Probe::new()?;
        let mut dev = TestDevice::new()?;
        let populated = Object::new(dev.bound()?.as_ref(), &probe)?;
        let object = Object::new(dev.bound()?.as_ref(), &probe)?;
        let results = Arc::pin_init(new_mutex!(None), GFP_KERNEL)?;

        let (begin_first, begin_second) = (completion()?, completion()?);
        let thread = |begin: &Arc<Completion>| {
            let (begin, object) = (begin.clone(), object.clone());
            let thread = Thread::new(move || {
                begin.wait_for_completion();
                // SAFETY: Unbind waits for this thread.
                let dev = unsafe { object.dev.as_bound() };
                object.access(dev)
            })?;
            thread.start();
            Ok::<_, Error>(thread)
        };
        let (first, second) = (thread(&begin_first)?, thread(&begin_second)?);
        // A `Devres` that is released after the slots, as it was made before their registry.
        let callback = {
            let (begin_first, begin_second) = (begin_first.clone(), begin_second.clone());
            let (probe, results) = (probe.clone(), results.clone());
            ScopeGuard::new(move || {
                begin_first.complete_all();
                begin_second.complete_all();
                probe.make_gate.open();
                *results.lock() = Some([first.join(), second.join()]);
            })
        };
        let _older = Devres::new(dev.bound()?.as_ref(), callback)?;
        ensure_ok!(populated.access(dev.bound()?.as_ref()), "the other slot");

        let asked = probe.asked();
        probe.make_gate.close();
        begin_first.complete_all();
        probe.make_gate.wait_for_a_thread();
        begin_second.complete_all();
        let waits = comes_true(PATIENCE, || probe.asked() == asked + 2);
        dev.unbind();

        ensure!(waits, "the second caller is not on the slow path");
        let results: Option<[Result<Result<i32>>; 2]> = *results.lock();
        ensure!(
            results == Some([Ok(Err(ENXIO)), Ok(Err(ENXIO))]),
            "populated during unbind: {results:?}"
        );
        ensure!(probe.made() == 2, "{} resources were made", probe.made());
        ensure!(probe.live() == 0, "{} resources are left", probe.live());
        Ok(())
    }

    /// Freeing the owner first drops the resource exactly once, and leaves nothing on the device.
    #[test]
    fn free_before_unbind() -> Result {
        let probe = Probe::new()?;
        let mut dev = TestDevice::new()?;
        let object = Object::new(dev.bound()?.as_ref(), &probe)?;
        ensure_ok!(object.access(dev.bound()?.as_ref()), "the first access");

        drop(object);
        ensure!(
            probe.live() == 0,
            "{} are left after the free",
            probe.live()
        );

        dev.unbind();
        ensure!(probe.dropped() == 1, "dropped {} times", probe.dropped());
        Ok(())
    }

    /// Unbind and free at once: if unbind is first, the free waits.
    #[test]
    fn unbind_wins() -> Result {
        drop_from_both_sides(true)
    }

    /// Unbind and free at once: if the free is first, unbind waits.
    #[test]
    fn free_wins() -> Result {
        drop_from_both_sides(false)
    }

    /// Unbinds the device and frees the object at once.
    fn drop_from_both_sides(unbind_is_first: bool) -> Result {
        let probe = Probe::new()?;
        let mut dev = TestDevice::new()?;
        let object = Object::new(dev.bound()?.as_ref(), &probe)?;
        ensure_ok!(object.access(dev.bound()?.as_ref()), "the first access");
        let unbinding = Thread::new(move || dev.unbind())?;
        let freeing = Thread::new(move || drop(object))?;
        let (first, second) = if unbind_is_first {
            (unbinding, freeing)
        } else {
            (freeing, unbinding)
        };

        probe.drop_gate.close();
        first.start();
        probe.drop_gate.wait_for_a_thread();
        // The first thread is dropping the resource.
        second.start();
        let is_early = comes_true(GRACE, || second.has_returned());
        probe.drop_gate.open();
        first.join()?;
        second.join()?;

        ensure!(
            !is_early,
            "the second returned before the resource was gone"
        );
        ensure!(probe.dropped() == 1, "dropped {} times", probe.dropped());
        Ok(())
    }

    /// Unbind and free at once, many times over.
    #[test]
    fn free_and_unbind() -> Result {
        const ROUNDS: i32 = 50;

        let probe = Probe::new()?;
        let mut dev = TestDevice::new()?;

        for round in 1..=ROUNDS {
            let object = Object::new(dev.bound()?.as_ref(), &probe)?;
            ensure_ok!(object.access(dev.bound()?.as_ref()), "the first access");

            let arrived = Arc::new(Atomic::new(0), GFP_KERNEL)?;
            let theirs = arrived.clone();
            let freeing = Thread::new(move || {
                meet(&theirs, 2);
                drop(object);
            })?;
            freeing.start();
            meet(&arrived, 2);
            dev.unbind();
            freeing.join()?;

            let dropped = probe.dropped();
            ensure!(dropped == round, "round {round}: dropped {dropped}");
            dev.rebind()?;
        }
        Ok(())
    }

    /// `peek` never sleeps, makes nothing, and refuses a wrong device.
    #[test]
    fn peek() -> Result {
        let probe = Probe::new()?;
        let (dev, other) = (TestDevice::new()?, TestDevice::new()?);
        let (dev, other) = (dev.bound()?.as_ref(), other.bound()?.as_ref());
        let object = Object::new(dev, &probe)?;

        let slot = ensure_ok!(object.resource.entry(dev), "the entry");
        let rcu = rcu::read_lock();
        let empty = object.peek(dev);
        let wrong = object.peek(other);
        drop((rcu, slot));
        ensure!(empty == Ok(None), "while empty: {empty:?}");
        ensure!(wrong == Err(EINVAL), "wrong device, empty: {wrong:?}");
        ensure!(probe.made() == 0, "peek makes one");

        let id = ensure_ok!(object.access(dev), "the first access");
        let made = object.peek(dev);
        ensure!(made == Ok(Some(id)), "while there is one: {made:?}");
        let wrong = object.peek(other);
        ensure!(wrong == Err(EINVAL), "wrong device, populated: {wrong:?}");
        Ok(())
    }

    /// `try_access` needs no bound device. An empty or revoked slot returns [`None`]. Unbind waits
    /// for the guard.
    #[test]
    fn try_access() -> Result {
        let probe = Probe::new()?;
        let mut dev = TestDevice::new()?;
        let object = Object::new(dev.bound()?.as_ref(), &probe)?;

        // `try_access` neither waits for a thread that populates the slot, nor sleeps otherwise.
        let slot = ensure_ok!(object.resource.entry(dev.bound()?.as_ref()), "the entry");
        let rcu = rcu::read_lock();
        let empty = object.try_resource().is_none();
        drop((rcu, slot));
        ensure!(empty, "something is lent while empty");

        let id = ensure_ok!(object.access(dev.bound()?.as_ref()), "the first access");
        let unbinding = Thread::new(move || dev.unbind())?;

        let Some(guard) = object.try_resource() else {
            fail!("nothing is lent while there is one");
        };
        let lent = guard.id;

        // No code may sleep while there is a guard.
        unbinding.start();
        let is_early = comes_true_with(GRACE, cpu_relax, || {
            probe.dropped() > 0 || unbinding.has_returned()
        });
        drop(guard);
        unbinding.join()?;

        ensure!(lent == id, "resource {lent} is lent, not {id}");
        ensure!(!is_early, "dropped while a guard was held");
        ensure!(probe.dropped() == 1, "dropped {} times", probe.dropped());
        let is_revoked = object.try_resource().is_none();
        ensure!(is_revoked, "a revoked resource is lent");
        Ok(())
    }

    /// From the beginning of unbind on, `try_access` returns [`None`], also for slots that unbind
    /// has not reached yet.
    #[test]
    fn try_access_during_unbind() -> Result {
        let probe = Probe::new()?;
        let mut dev = TestDevice::new()?;
        let objects = [
            Object::new(dev.bound()?.as_ref(), &probe)?,
            Object::new(dev.bound()?.as_ref(), &probe)?,
        ];
        for object in &objects {
            ensure_ok!(object.access(dev.bound()?.as_ref()), "the first access");
        }
        let before = objects.each_ref().map(|it| it.try_resource().is_some());

        // Unbind is dropping the resource that was made last.
        probe.drop_gate.close();
        let unbinding = Thread::new(move || dev.unbind())?;
        unbinding.start();
        probe.drop_gate.wait_for_a_thread();
        let during = objects.each_ref().map(|it| it.try_resource().is_some());
        probe.drop_gate.open();
        unbinding.join()?;

        ensure!(before == [true, true], "lent before: {before:?}");
        ensure!(during == [false, false], "lent during unbind: {during:?}");
        ensure!(probe.dropped() == 2, "dropped {} times", probe.dropped());
        Ok(())
    }

    /// `revoke` drops the resource at once and exactly once, and leaves the slot empty.
    #[test]
    fn revoke() -> Result {
        let probe = Probe::new()?;
        let mut dev = TestDevice::new()?;
        let init = Object::init(dev.bound()?.as_ref(), &probe);
        let mut object = KBox::pin_init(init, GFP_KERNEL)?;

        // There is nothing to revoke.
        object.as_mut().drop_resource();

        let first = ensure_ok!(object.access(dev.bound()?.as_ref()), "the first access");
        object.as_mut().drop_resource();
        ensure!(probe.live() == 0, "{} resources are left", probe.live());
        let peek = object.peek(dev.bound()?.as_ref());
        ensure!(peek == Ok(None), "revoked, peek: {peek:?}");
        let is_revoked = object.try_resource().is_none();
        ensure!(is_revoked, "a revoked resource is lent");

        let second = ensure_ok!(object.access(dev.bound()?.as_ref()), "the next access");
        ensure!(first != second, "the same resource after it was revoked");
        dev.unbind();
        ensure!(probe.dropped() == 2, "dropped {} times", probe.dropped());

        // A slot that unbind has revoked becomes empty as well.
        object.as_mut().drop_resource();
        dev.rebind()?;
        ensure_ok!(object.access(dev.bound()?.as_ref()), "after a rebind");
        drop(object);
        ensure!(probe.made() == 3, "{} resources were made", probe.made());
        ensure!(probe.live() == 0, "{} resources are left", probe.live());
        Ok(())
    }

    /// A pinned resource is made in place.
    #[test]
    fn init_in_place() -> Result {
        let probe = Probe::new()?;
        let dev = TestDevice::new()?;
        let dev = dev.bound()?.as_ref();
        let object = Several::new(dev, &probe)?;

        for resource in [object.first(dev)?, object.second(dev)?, object.third(dev)?] {
            let name = resource.name;
            let address = ptr::from_ref(resource).addr();
            ensure!(address == resource.address, "resource {name} has moved");

            // The lock works, as it has not moved either.
            drop(resource.lock.lock());
        }
        Ok(())
    }

    /// A failure of `init`, in any of its forms, fails the accessor and does not affect the other
    /// fields.
    #[test]
    fn init_with_error() -> Result {
        let probe = Probe::new()?;
        let dev = TestDevice::new()?;
        let dev = dev.bound()?.as_ref();
        let object = Several::new(dev, &probe)?;
        let name = |resource: Result<&Resource>| resource.map(|resource| resource.name);

        // In the initialiser.
        probe.fail_next(EIO);
        let first = name(object.first(dev));
        ensure!(first == Err(EIO), "in an initialiser: {first:?}");

        // Before there is an initialiser.
        probe.fail_next(EAGAIN);
        let second = name(object.second(dev));
        ensure!(second == Err(EAGAIN), "with `?`: {second:?}");

        // With an error that is converted.
        probe.fail_next(EIO);
        let third = name(object.third(dev));
        ensure!(third == Err(ENOMEM), "converted: {third:?}");

        ensure!(probe.made() == 0, "{} resources were made", probe.made());
        let second = name(object.second(dev));
        ensure!(second == Ok(2), "then: {second:?}");
        ensure!(probe.made() == 1, "{} resources were made", probe.made());

        drop(object);
        ensure!(probe.live() == 0, "{} resources are left", probe.live());
        Ok(())
    }

    /// Unbind drops the resources in the reverse order of population.
    #[test]
    fn order_at_unbind() -> Result {
        let probe = Probe::new()?;
        let mut dev = TestDevice::new()?;
        let object = Several::new(dev.bound()?.as_ref(), &probe)?;
        object.second(dev.bound()?.as_ref())?;
        object.third(dev.bound()?.as_ref())?;
        object.first(dev.bound()?.as_ref())?;

        dev.unbind();

        ensure!(probe.order() == 132, "dropped in order {}", probe.order());
        drop(object);
        ensure!(probe.order() == 132, "dropped again: {}", probe.order());
        Ok(())
    }

    /// Freeing the owner drops the resources in the reverse order of declaration, whatever the
    /// order of population.
    #[test]
    fn order_at_free() -> Result {
        let probe = Probe::new()?;
        let mut dev = TestDevice::new()?;
        let object = Several::new(dev.bound()?.as_ref(), &probe)?;
        object.second(dev.bound()?.as_ref())?;
        object.third(dev.bound()?.as_ref())?;
        object.first(dev.bound()?.as_ref())?;

        drop(object);

        ensure!(probe.order() == 321, "dropped in order {}", probe.order());
        dev.unbind();
        ensure!(probe.order() == 321, "dropped again: {}", probe.order());
        Ok(())
    }

    /// The object's own destructor runs after the resource was dropped.
    #[test]
    fn own_destructor() -> Result {
        let probe = Probe::new()?;
        let dev = TestDevice::new()?;
        let dev = dev.bound()?.as_ref();
        let object = Destructor::new(dev, &probe)?;
        ensure_ok!(object.resource(dev), "the first access");

        drop(object);

        ensure!(probe.order() == 19, "dropped in order {}", probe.order());
        Ok(())
    }

    /// A slot by itself, without the attribute.
    #[test]
    fn slot_by_hand() -> Result {
        let mut dev = TestDevice::new()?;
        let slot = KBox::pin_init(new_lazy!(), GFP_KERNEL)?;
        let slot: Pin<KBox<Lazy<u32>>> = slot;

        let bound = dev.bound()?.as_ref();
        ensure!(slot.get(bound).is_none(), "something is lent while empty");
        let value = slot.get_or_populate(bound, || Ok(42)).copied();
        ensure!(value == Ok(42), "populated: {value:?}");
        let other = slot.get_or_populate(bound, || Ok(43)).copied();
        ensure!(other == Ok(42), "populated twice: {other:?}");
        let value = slot.get(bound).copied();
        ensure!(value == Some(42), "then: {value:?}");

        dev.unbind();
        dev.rebind()?;
        let bound = dev.bound()?.as_ref();
        ensure!(slot.get(bound).is_none(), "lent after a rebind");
        let late = slot.get_or_populate(bound, || Ok(44)).copied();
        ensure!(late == Err(ENXIO), "populated after a rebind: {late:?}");
        Ok(())
    }
}

// A separate suite, to be run alone: lockdep reports once, and is silent from then on.
#[kunit_tests(rust_lazy_lockdep)]
mod lockdep {
    use super::*;

    /// An initialiser that calls an accessor of its own lock class is reported.
    ///
    /// With its own slot, the call would be a deadlock. The test calls the accessor of another
    /// object of the same kind, which lockdep cannot distinguish, so the test can go on after the
    /// report.
    #[test]
    fn recursion() -> Result {
        if !kunit_lockdep::lockdep_is_on() {
            return skip(c"needs CONFIG_PROVE_LOCKING, and that nothing was reported before");
        }

        let dev = TestDevice::new()?;
        let dev = dev.bound()?.as_ref();
        let inner = Nested::new(dev, None)?;
        let outer = Nested::new(dev, Some(inner))?;

        let depth = expect_splat("possible recursive locking detected", || {
            outer.depth(dev).copied()
        });

        ensure!(depth == Ok(1), "nested: {depth:?}");
        let has_given_up = !kunit_lockdep::lockdep_is_on();
        ensure!(
            has_given_up == kunit_lockdep::GIVES_UP,
            "lockdep has given up: {has_given_up}"
        );
        Ok(())
    }
}
