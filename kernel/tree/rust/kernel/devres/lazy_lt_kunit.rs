// SPDX-License-Identifier: GPL-2.0

//! The contract of a lazy field whose resource borrows the bound device.
//!
//! The tests that hold for every slot are in `lazy_kunit`. Here the resource reads the device that
//! it has borrowed, also while it is dropped.

use super::{
    kunit_support::{
        comes_true,
        ensure,
        ensure_ok,
        meet,
        TestDevice,
        Thread,
        GRACE, //
    },
    registry_kunit::Log,
    Lazy,
    LazyLt, //
};
use crate::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    devres_lazy,
    new_lazy,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            AtomicFlag,
            Relaxed, //
        },
        Arc, //
    },
    types::ForLt, //
};
use core::ptr;

/// Noted by a resource whose device is no longer bound while the resource is dropped.
const UNBOUND: i32 = -1;

/// A resource that borrows the device, and notes its name when it is dropped.
struct Borrowed<'a> {
    dev: &'a Device<Bound>,
    name: i32,
    log: Arc<Log>,
}

impl<'a> Borrowed<'a> {
    fn new(dev: &'a Device<Bound>, name: i32, log: &Arc<Log>) -> Self {
        Self {
            dev,
            name,
            log: log.clone(),
        }
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        // SAFETY: The device is valid.
        let is_bound = unsafe { bindings::device_is_bound(self.dev.as_raw()) };

        self.log.note(if is_bound { self.name } else { UNBOUND });
    }
}

/// A slot without the attribute.
type Slot = LazyLt<ForLt!(Borrowed<'_>)>;

/// An owner of two resources. The second one is in a box, and needs the first one.
#[devres_lazy]
#[pin_data]
struct Object {
    dev: ARef<Device>,
    log: Arc<Log>,
    /// How many calls of [`make()`](Self::make) are still to fail.
    failures: Atomic<i32>,
    /// How many resources were made.
    made: Atomic<i32>,
    /// Set if making a resource waits for other threads to make one as well.
    is_raced: AtomicFlag,

    #[lazy(
        fn first -> Borrowed<'_>,
        device = &self.dev,
        init = self.make(dev, 1)?,
        peek = peek_first,
        revoke = revoke_first,
    )]
    first: ForLt!(Borrowed<'_>),

    #[lazy(
        fn second -> Borrowed<'_>,
        device = &self.dev,
        init = {
            self.first(dev)?;
            KBox::new(self.make(dev, 2)?, GFP_KERNEL)?
        },
    )]
    second: ForLt!(for<'bound> KBox<Borrowed<'bound>>),
}

impl Object {
    fn new(dev: &Device<Bound>, log: &Arc<Log>) -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            pin_init!(Self {
                dev: dev.into(),
                log: log.clone(),
                failures: Atomic::new(0),
                made: Atomic::new(0),
                is_raced: AtomicFlag::new(false),
                first <- new_lazy!("Object::first"),
                second <- new_lazy!("Object::second"),
            }),
            GFP_KERNEL,
        )
    }

    /// Makes a resource, or fails.
    fn make<'a>(&self, dev: &'a Device<Bound>, name: i32) -> Result<Borrowed<'a>> {
        if self.failures.load(Relaxed) > 0 {
            self.failures.add(-1, Relaxed);
            return Err(EIO);
        }
        self.made.add(1, Relaxed);
        if self.is_raced.load(Relaxed) {
            comes_true(GRACE, || self.made.load(Relaxed) > 1);
        }
        Ok(Borrowed::new(dev, name, &self.log))
    }
}

#[kunit_tests(rust_devres_lazy_lt)]
mod tests {
    use super::*;

    /// Every access returns the same resource, which has borrowed the device.
    #[test]
    fn borrowed_success_path() -> Result {
        let log = Log::new()?;
        let dev = TestDevice::new()?;
        let dev: &Device<Bound> = dev.bound()?.as_ref();
        let object = Object::new(dev, &log)?;

        ensure!(object.peek_first(dev)?.is_none(), "there is a resource");
        let first: &Borrowed<'_> = ensure_ok!(object.first(dev), "the first access");
        let again = ensure_ok!(object.first(dev), "the second access");
        ensure!(ptr::eq(first, again), "two resources");
        let peeked = object.peek_first(dev)?;
        ensure!(
            peeked.is_some_and(|it| ptr::eq(it, first)),
            "peek finds another one"
        );
        let borrowed: &Device<Bound> = first.dev;
        ensure!(borrowed.as_raw() == dev.as_raw(), "another device");
        ensure!(object.second(dev)?.name == 2, "another resource");
        let made = object.made.load(Relaxed);
        ensure!(made == 2, "{made} resources are made");
        log.ensure(&[])
    }

    /// Unbind drops the resources while the device is still bound to its driver, the newest first.
    /// Access fails when the same device is bound again.
    #[test]
    fn borrowed_until_unbind() -> Result {
        let log = Log::new()?;
        let mut dev = TestDevice::new()?;
        let object = Object::new(dev.bound()?.as_ref(), &log)?;

        object.second(dev.bound()?.as_ref())?;
        dev.unbind();
        log.ensure(&[2, 1])?;

        dev.rebind()?;
        let bound: &Device<Bound> = dev.bound()?.as_ref();
        let refused = object.first(bound).err();
        ensure!(refused == Some(ENXIO), "after a rebind: {refused:?}");
        ensure!(object.peek_first(bound)?.is_none(), "peek after a rebind");
        drop(object);
        log.ensure(&[])
    }

    /// An owner that is freed first drops its resources, in the reverse order of declaration.
    #[test]
    fn borrowed_freed_first() -> Result {
        let log = Log::new()?;
        let mut dev = TestDevice::new()?;
        let object = Object::new(dev.bound()?.as_ref(), &log)?;

        object.second(dev.bound()?.as_ref())?;
        drop(object);
        log.ensure(&[2, 1])?;
        dev.unbind();
        log.ensure(&[])
    }

    /// Revoking drops the resource, and the next access makes another one.
    #[test]
    fn borrowed_revoked() -> Result {
        let log = Log::new()?;
        let dev = TestDevice::new()?;
        let dev: &Device<Bound> = dev.bound()?.as_ref();
        let mut object = Object::new(dev, &log)?;

        object.first(dev)?;
        object.as_mut().revoke_first();
        log.ensure(&[1])?;
        ensure!(object.peek_first(dev)?.is_none(), "peek after revoking");
        ensure!(object.first(dev)?.name == 1, "another resource");
        drop(object);
        log.ensure(&[1])
    }

    /// Another device is refused, mapped or not, and nothing is made for it.
    #[test]
    fn borrowed_from_another_device() -> Result {
        let log = Log::new()?;
        let (dev, other) = (TestDevice::new()?, TestDevice::new()?);
        let (dev, other): (&Device<Bound>, &Device<Bound>) =
            (dev.bound()?.as_ref(), other.bound()?.as_ref());
        let object = Object::new(dev, &log)?;

        for made in [0, 1] {
            let refused = object.first(other).err();
            ensure!(refused == Some(EINVAL), "another device: {refused:?}");
            let refused = object.peek_first(other).err();
            ensure!(
                refused == Some(EINVAL),
                "peek by another device: {refused:?}"
            );
            let seen = object.made.load(Relaxed);
            ensure!(seen == made, "{seen} resources, not {made}");
            object.first(dev)?;
        }
        Ok(())
    }

    /// An initialiser that fails leaves nothing, and a later access succeeds.
    #[test]
    fn borrowed_that_fails() -> Result {
        let log = Log::new()?;
        let dev = TestDevice::new()?;
        let dev: &Device<Bound> = dev.bound()?.as_ref();
        let object = Object::new(dev, &log)?;

        object.failures.store(2, Relaxed);
        for _ in 0..2 {
            let failed = object.second(dev).err();
            ensure!(failed == Some(EIO), "{failed:?}");
        }
        ensure!(object.peek_first(dev)?.is_none(), "there is a resource");
        ensure!(object.second(dev)?.name == 2, "another resource");
        drop(object);
        log.ensure(&[2, 1])
    }

    /// If an initialiser does not return the proof that it has made a resource, the resource is
    /// dropped at once, and the slot stays empty.
    #[test]
    fn borrowed_and_given_up() -> Result {
        let log = Log::new()?;
        let dev = TestDevice::new()?;
        let dev: &Device<Bound> = dev.bound()?.as_ref();
        let slot: Pin<KBox<Slot>> = KBox::pin_init(new_lazy!("slot"), GFP_KERNEL)?;
        let failed = slot
            .get_or_populate_with(
                dev,
                |dev, place| {
                    place.make(Borrowed::new(dev, 3, &log))?;
                    Err(ENODEV)
                },
                |borrowed| borrowed,
            )
            .err();
        ensure!(failed == Some(ENODEV), "{failed:?}");
        log.ensure(&[3])?;

        let is_there = slot.get_with(dev, |borrowed| borrowed).is_some();
        ensure!(!is_there, "there is a resource");
        let made = slot.get_or_populate_with(
            dev,
            |dev, place| place.make(Borrowed::new(dev, 4, &log)),
            |borrowed| borrowed,
        )?;
        ensure!(made.name == 4, "another resource");
        drop(slot);
        log.ensure(&[4])
    }

    /// Threads that race for the first access get one resource.
    #[test]
    fn borrowed_by_racing_threads() -> Result {
        const THREADS: i32 = 4;

        let log = Log::new()?;
        let dev = TestDevice::new()?;
        let object: Arc<Pin<KBox<Object>>> =
            Arc::new(Object::new(dev.bound()?.as_ref(), &log)?, GFP_KERNEL)?;
        object.is_raced.store(true, Relaxed);
        let dev = Arc::new(dev, GFP_KERNEL)?;
        let arrived = Arc::new(Atomic::new(0), GFP_KERNEL)?;

        let mut threads = KVec::new();
        for _ in 0..THREADS {
            let (object, dev, arrived) = (object.clone(), dev.clone(), arrived.clone());
            let thread = Thread::new(move || -> Result<usize> {
                let dev: &Device<Bound> = dev.bound()?.as_ref();
                meet(&arrived, THREADS);
                Ok(ptr::from_ref(object.first(dev)?).addr())
            })?;
            threads.push(thread, GFP_KERNEL)?;
        }
        for thread in &threads {
            thread.start();
        }
        let address = ptr::from_ref(object.first(dev.bound()?.as_ref())?).addr();
        for thread in threads {
            let theirs = thread.join()??;
            ensure!(theirs == address, "two resources");
        }
        let made = object.made.load(Relaxed);
        ensure!(made == 1, "{made} resources are made");
        Ok(())
    }

    /// The slot is as large as that of a resource that borrows nothing.
    #[test]
    fn borrowed_size() -> Result {
        let (lt, plain) = (size_of::<Slot>(), size_of::<Lazy<Borrowed<'static>>>());
        ensure!(lt == plain, "{lt} bytes, not {plain}");
        Ok(())
    }
}
