// SPDX-License-Identifier: GPL-2.0

//! Stress for objects and their device: threads map, read, try and free, while the device is bound
//! and unbound again and again.
//!
//! Readers know the content of a resource, so they detect a wrong one. The kernel's own checkers,
//! the number of mappings after each unbind, and the memory in use at the end show other faults. In
//! the kernel, the suite has a boot of its own, so that no other test uses memory meanwhile.

use super::{
    kunit_stress::{
        alone,
        bindings,
        Usage, //
    },
    kunit_support::{
        comes_true,
        ensure,
        ensure_ok,
        fail,
        TestDevice,
        Thread, //
    },
    Lazy, //
};
use crate::{
    device::{
        Bound,
        Device, //
    },
    new_lazy,
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Acquire,
            Atomic,
            AtomicFlag,
            Full,
            Relaxed,
            Release, //
        },
        barrier::smp_mb,
        Arc,
        Mutex, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    types::ScopeGuard, //
};
use core::mem;

/// The number of bindings before memory is measured for the first time.
const WARM_UP: i64 = 100;

/// The number of bindings after which progress is printed, since a silent console looks like a
/// hang.
const REPORT: i64 = 100;

/// The factor by which the number of bindings may grow, until each event has happened once.
const PATIENT: i64 = 10;

/// The number of objects at any time.
const OBJECTS: usize = 16;

/// The number of threads that map and read.
const MAPPERS: usize = 3;

/// The time limit of an event that must happen, on a slow and busy machine.
const PATIENCE: Delta = Delta::from_secs(60);

/// The time for which a thread lets others run.
const PAUSE: Delta = Delta::from_millis(1);

/// The object under stress.
pub(crate) trait Stressed: Send + Sync + 'static {
    /// The number of steps that a thread takes before it lets others run.
    const BURST: usize;

    /// Maps the resource, unless it is mapped, and reads it. `ENXIO` if the resource was revoked.
    fn access(&self, dev: &Device<Bound>) -> Result;

    /// Reads the resource if it is mapped. Returns whether it was.
    fn try_access(&self) -> Result<bool>;
}

/// The device that is bound and unbound.
pub(crate) trait Unbind {
    /// Returns the device, which is bound.
    fn bound(&self) -> Result<&Device<Bound>>;

    /// Unbinds the driver.
    fn unbind(&mut self);

    /// Binds the same `struct device` again.
    fn rebind(&mut self) -> Result;
}

/// How often each event has happened.
struct Counts {
    bindings: Atomic<i32>,
    maps: Atomic<i32>,
    accesses: Atomic<i32>,
    refused: Atomic<i32>,
    tries: Atomic<i32>,
    tries_in_vain: Atomic<i32>,
    frees: Atomic<i32>,
    /// Frees while the device was being unbound.
    frees_during_unbind: Atomic<i32>,
}

impl Counts {
    fn new() -> Self {
        Self {
            bindings: Atomic::new(0),
            maps: Atomic::new(0),
            accesses: Atomic::new(0),
            refused: Atomic::new(0),
            tries: Atomic::new(0),
            tries_in_vain: Atomic::new(0),
            frees: Atomic::new(0),
            frees_during_unbind: Atomic::new(0),
        }
    }

    /// The counts, with their names.
    fn all(&self) -> [(&'static str, i32); 8] {
        [
            ("bindings", &self.bindings),
            ("maps", &self.maps),
            ("accesses", &self.accesses),
            ("accesses refused", &self.refused),
            ("tries", &self.tries),
            ("tries in vain", &self.tries_in_vain),
            ("frees", &self.frees),
            ("frees during unbind", &self.frees_during_unbind),
        ]
        .map(|(what, count)| (what, count.load(Relaxed)))
    }

    /// Prints the counts. Fails if an event has not happened, and so was not tested.
    fn report(&self, what: &str) -> Result {
        crate::kunit::info(fmt!("    # result: {what}\n"));
        for (what, count) in self.all() {
            crate::kunit::info(fmt!("    # result:   {count} {what}\n"));
            ensure!(count > 0, "no {what}");
        }
        Ok(())
    }
}

/// Lets threads use the device while it is bound.
struct Gate {
    is_open: AtomicFlag,
    inside: Atomic<i32>,
}

/// The use of the device by a thread.
struct Inside<'a>(&'a Gate);

impl Gate {
    fn new() -> Self {
        Self {
            is_open: AtomicFlag::new(false),
            inside: Atomic::new(0),
        }
    }

    fn enter(&self) -> Option<Inside<'_>> {
        // ORDERING: Pairs with the barrier in `close()`: either `close()` sees this thread inside,
        // or this thread sees that the gate is closed.
        self.inside.fetch_add(1, Full);
        let inside = Inside(self);

        self.is_open.load(Acquire).then_some(inside)
    }

    fn open(&self) {
        self.is_open.store(true, Release);
    }

    /// Closes the gate, and waits until no thread is inside.
    fn close(&self) -> Result {
        self.is_open.store(false, Relaxed);
        // ORDERING: Pairs with the full operation in `enter()`.
        smp_mb(Full);

        let is_empty = comes_true(PATIENCE, || self.inside.load(Acquire) == 0);
        ensure!(is_empty, "a thread does not come back from the device");
        Ok(())
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Release);
    }
}

/// An object, and how often it was accessed.
struct Object<S> {
    stressed: S,
    accesses: Atomic<i32>,
}

/// The data that the threads share.
#[pin_data]
struct Shared<S, M> {
    #[pin]
    objects: Mutex<KVec<Arc<Object<S>>>>,
    /// Makes an object. Dropped after the objects, which may need its captured values.
    make: M,
    dev: ARef<Device>,
    gate: Gate,
    is_unbinding: AtomicFlag,
    is_over: AtomicFlag,
    counts: Counts,
}

impl<S, M> Shared<S, M>
where
    S: Stressed,
    M: Fn() -> Result<S> + Send + Sync + 'static,
{
    fn new(dev: ARef<Device>, make: M) -> Result<Arc<Self>> {
        let shared = Arc::pin_init(
            pin_init!(Self {
                objects <- new_mutex!(KVec::new()),
                make,
                dev,
                gate: Gate::new(),
                is_unbinding: AtomicFlag::new(false),
                is_over: AtomicFlag::new(false),
                counts: Counts::new(),
            }),
            GFP_KERNEL,
        )?;
        for _ in 0..OBJECTS {
            let object = shared.object()?;
            shared.objects.lock().push(object, GFP_KERNEL)?;
        }

        Ok(shared)
    }

    fn object(&self) -> Result<Arc<Object<S>>> {
        let object = Object {
            stressed: (self.make)()?,
            accesses: Atomic::new(0),
        };

        Ok(Arc::new(object, GFP_KERNEL)?)
    }

    fn get(&self, index: usize) -> Arc<Object<S>> {
        self.objects.lock()[index % OBJECTS].clone()
    }

    /// Creates a thread that calls `step` over and over.
    fn thread(this: &Arc<Self>, step: fn(&Self, usize) -> Result) -> Result<Thread<Result>> {
        let shared = this.clone();

        Thread::new(move || {
            let mut count = 0;
            while !shared.is_over.load(Relaxed) {
                step(&shared, count).inspect_err(|_| shared.is_over.store(true, Relaxed))?;
                count += 1;
            }
            Ok(())
        })
    }

    /// Maps and reads objects, if the device is bound.
    fn map(&self, count: usize) -> Result {
        if let Some(_inside) = self.gate.enter() {
            // SAFETY: The device is not unbound before the gate is closed and no thread is inside.
            let dev = unsafe { self.dev.as_bound() };

            for index in 0..S::BURST {
                self.access(count * S::BURST + index, dev)?;
            }
        }
        fsleep(PAUSE);
        Ok(())
    }

    /// Maps and reads an object. An object whose resource was revoked is replaced.
    fn access(&self, index: usize, dev: &Device<Bound>) -> Result {
        let object = self.get(index);

        match object.stressed.access(dev) {
            Ok(()) => {
                self.counts.accesses.add(1, Relaxed);
                if object.accesses.fetch_add(1, Relaxed) == 0 {
                    self.counts.maps.add(1, Relaxed);
                }
                Ok(())
            }
            Err(ENXIO) => {
                self.counts.refused.add(1, Relaxed);
                self.replace(index)
            }
            Err(error) => fail!("an access: {error:?}"),
        }
    }

    /// Reads the objects that are mapped, whether or not the device is bound.
    fn look(&self, count: usize) -> Result {
        for index in 0..S::BURST {
            let object = self.get(count * S::BURST + index);

            if object.stressed.try_access()? {
                self.counts.tries.add(1, Relaxed);
            } else {
                self.counts.tries_in_vain.add(1, Relaxed);
            }
        }
        fsleep(PAUSE);
        Ok(())
    }

    /// Frees an object, whether or not the device is bound.
    fn free(&self, count: usize) -> Result {
        self.replace(count)?;
        if count % (S::BURST / 4) == 0 {
            fsleep(PAUSE);
        }
        Ok(())
    }

    /// Replaces an object by a new one. If another thread still uses the old one, that thread frees
    /// it.
    fn replace(&self, index: usize) -> Result {
        let new = self.object()?;
        let is_unbinding = self.is_unbinding.load(Relaxed);

        let old = mem::replace(&mut self.objects.lock()[index % OBJECTS], new);
        drop(old);

        self.counts.frees.add(1, Relaxed);
        if is_unbinding && self.is_unbinding.load(Relaxed) {
            self.counts.frees_during_unbind.add(1, Relaxed);
        }
        Ok(())
    }

    /// Binds and unbinds the device `bindings` times, while threads use it.
    fn run(
        this: &Arc<Self>,
        device: &mut impl Unbind,
        bindings: i64,
        mapped: &impl Fn() -> i32,
    ) -> Result {
        let mut threads = KVec::new();
        // Ends the threads before they are joined, also if one cannot be created.
        let end = ScopeGuard::new(|| this.is_over.store(true, Relaxed));
        for _ in 0..MAPPERS {
            threads.push(Self::thread(this, Self::map)?, GFP_KERNEL)?;
        }
        threads.push(Self::thread(this, Self::look)?, GFP_KERNEL)?;
        threads.push(Self::thread(this, Self::free)?, GFP_KERNEL)?;
        for thread in &threads {
            thread.start();
        }

        let bound = this.bind(device, bindings, mapped);
        drop(end);
        for thread in threads {
            ensure_ok!(thread.join()?, "a thread");
        }
        bound
    }

    /// Binds and unbinds the device `bindings` times, and more often until each event has happened.
    /// Fails if anything is mapped after an unbind.
    fn bind(&self, device: &mut impl Unbind, bindings: i64, mapped: &impl Fn() -> i32) -> Result {
        for binding in 0..bindings * PATIENT {
            if binding >= bindings && self.counts.all().iter().all(|(_, count)| *count > 0) {
                break;
            }
            if binding % REPORT == 0 {
                crate::kunit::info(fmt!("    # binding {binding} of {bindings}\n"));
            }
            if binding > 0 {
                ensure_ok!(device.rebind(), "the next binding");
            }
            let maps = self.counts.maps.load(Relaxed);
            self.gate.open();
            let is_used = comes_true(PATIENCE, || {
                self.counts.maps.load(Relaxed) > maps || self.is_over.load(Relaxed)
            });
            self.gate.close()?;
            ensure!(is_used, "binding {binding}: no thread maps a resource");

            self.is_unbinding.store(true, Relaxed);
            device.unbind();
            self.is_unbinding.store(false, Relaxed);
            self.counts.bindings.add(1, Relaxed);

            let left = mapped();
            ensure!(left == 0, "binding {binding}: {left} are still mapped");
            ensure!(
                !self.is_over.load(Relaxed),
                "binding {binding}: a thread has failed"
            );
        }
        Ok(())
    }
}

/// Puts objects on a device under stress, for so many [`bindings()`].
///
/// `mapped` returns the number of resources that are still to be dropped.
pub(crate) fn stress<D, S, M>(
    what: &str,
    device: impl Fn() -> Result<D>,
    make: impl Fn(&D) -> M,
    mapped: impl Fn() -> i32,
) -> Result
where
    D: Unbind,
    S: Stressed,
    M: Fn() -> Result<S> + Send + Sync + 'static,
{
    let bindings = bindings()?;
    let run = |bindings| {
        let mut device = device()?;
        let shared = Shared::new(device.bound()?.into(), make(&device))?;
        let result = Shared::run(&shared, &mut device, bindings, &mapped);
        result.map(|()| shared)
    };

    alone(|| {
        // Memory that is allocated once, or kept by caches, is in use after this.
        drop(run(WARM_UP)?);
        let before = Usage::now();
        let shared = run(bindings)?;
        shared.counts.report(what)?;
        drop(shared);

        let mut after = before;
        // Workers free some of the memory later.
        let is_back = comes_true(PATIENCE, || {
            after = Usage::now();
            after.is_back_to(before, bindings)
        });
        crate::kunit::info(fmt!("    # result:   before: {before:?}\n"));
        crate::kunit::info(fmt!("    # result:   after:  {after:?}\n"));
        ensure!(is_back, "memory is lost");
        Ok(())
    })
}

/// The number of payloads.
static LIVE: Atomic<i32> = Atomic::new(0);

/// The number of payloads that were dropped.
static DROPS: Atomic<i32> = Atomic::new(0);

/// The resource's content, so large that the memory in use shows if one is lost for each binding.
struct Payload([u64; 96]);

impl Payload {
    const WORD: u64 = 0x1dea_f00d_cafe_5eed;

    fn new() -> Self {
        LIVE.add(1, Relaxed);
        Self([Self::WORD; 96])
    }

    fn read(&self) -> Result {
        ensure!(
            self.0.iter().all(|word| *word == Self::WORD),
            "a resource in use was dropped"
        );
        Ok(())
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        self.0.fill(0);
        // Some drops take so long that other threads run in between.
        if DROPS.fetch_add(1, Relaxed) % 16 == 0 {
            fsleep(PAUSE);
        }
        LIVE.fetch_sub(1, Relaxed);
    }
}

/// An owner that the resource of another owner owns.
#[pin_data]
struct Inner {
    #[pin]
    lazy: Lazy<Payload>,
}

/// A resource that owns another owner, and frees that owner when it is dropped.
struct Outer {
    payload: Payload,
    inner: Pin<KBox<Inner>>,
}

impl Outer {
    /// Makes a resource, after populating the slot of its inner owner.
    fn new(dev: &Device<Bound>) -> Result<Self> {
        let inner = KBox::pin_init(
            pin_init!(Inner {
                lazy <- new_lazy!("Inner::lazy"),
            }),
            GFP_KERNEL,
        )?;
        inner.lazy.get_or_populate(dev, || Ok(Payload::new()))?;

        Ok(Self {
            payload: Payload::new(),
            inner,
        })
    }
}

/// The owner.
#[pin_data]
struct Owner {
    #[pin]
    lazy: Lazy<Outer>,
}

impl Owner {
    fn new() -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            pin_init!(Self {
                lazy <- new_lazy!("Owner::lazy"),
            }),
            GFP_KERNEL,
        )
    }

    fn outer<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Outer> {
        self.lazy.get_or_populate(dev, || Outer::new(dev))
    }
}

impl Stressed for Pin<KBox<Owner>> {
    const BURST: usize = 16;

    fn access(&self, dev: &Device<Bound>) -> Result {
        let outer = self.outer(dev)?;
        outer.payload.read()?;

        match outer.inner.lazy.get(dev) {
            Some(payload) => payload.read(),
            None => fail!("the inner one is gone before the outer one"),
        }
    }

    fn try_access(&self) -> Result<bool> {
        let Some(outer) = self.lazy.try_access() else {
            return Ok(false);
        };
        outer.payload.read()?;

        // Unbind may have marked the inner slot already.
        if let Some(payload) = outer.inner.lazy.try_access() {
            payload.read()?;
        }
        Ok(true)
    }
}

impl Unbind for TestDevice {
    fn bound(&self) -> Result<&Device<Bound>> {
        Ok(self.bound()?.as_ref())
    }

    fn unbind(&mut self) {
        self.unbind();
    }

    fn rebind(&mut self) -> Result {
        self.rebind()
    }
}

#[kunit_tests(rust_lazy_stress)]
mod tests {
    use super::*;

    /// Slots whose resources own other slots.
    #[test]
    fn slots() -> Result {
        stress(
            "slots",
            TestDevice::new,
            |_| Owner::new,
            || LIVE.load(Relaxed),
        )
    }
}
