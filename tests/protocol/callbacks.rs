// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Registrations that devres owns, and their callbacks, which use a slot when unbind begins.
//!
//! Each scenario runs with [`devres::register()`], which has to hold, and with a mutant that does
//! not take the slots' place, as in Linux 7.3.

use crate::scenario::{
    caught,
    ensure,
    holds,
    Check,
    Wrong, //
};
use kernel::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    devres::{
        self,
        Batched,
        Devres,
        Lazy, //
    },
    error::to_result,
    new_lazy,
    prelude::*,
    sync::SetOnce,
    testing::{
        fail_nth,
        TestDevice, //
    },
    types::ScopeGuard, //
};
use std::{
    sync::{
        atomic::{
            AtomicUsize,
            Ordering::SeqCst, //
        },
        mpsc,
        Arc,
        Mutex, //
    },
    thread,
};

/// A function that adds a registration to a device.
trait Register {
    fn register<T: Send + 'static>(dev: &Device<Bound>, registration: T) -> Result;
}

/// The function of the runtime.
struct Ours;

impl Register for Ours {
    fn register<T: Send + 'static>(dev: &Device<Bound>, registration: T) -> Result {
        devres::register(dev, registration, GFP_KERNEL)
    }
}

/// The function of Linux 7.3.
struct NotPrepared;

impl Register for NotPrepared {
    fn register<T: Send + 'static>(dev: &Device<Bound>, registration: T) -> Result {
        unsafe extern "C-unwind" fn drop_box<T>(data: *mut c_void) {
            // SAFETY: `data` comes from `into_raw()` below, for this one call.
            drop(unsafe { KBox::<T>::from_raw(data.cast()) });
        }

        let data = KBox::into_raw(KBox::new(registration, GFP_KERNEL)?).cast();
        // SAFETY: `dev` is valid, and the action takes the box, which any thread may drop.
        to_result(unsafe { bindings::devm_add_action_or_reset(dev.as_raw(), drop_box::<T>, data) })
    }
}

/// A resource with memory of its own. Its drop is counted.
struct Resource {
    value: KBox<u32>,
    dropped: Arc<AtomicUsize>,
}

impl Resource {
    fn new(dropped: &Arc<AtomicUsize>) -> Result<Self> {
        Ok(Self {
            value: KBox::new(7, GFP_KERNEL)?,
            dropped: dropped.clone(),
        })
    }
}

impl Drop for Resource {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, SeqCst);
    }
}

/// An object that a callback uses.
trait Owner: Send + Sync + Sized + 'static {
    fn new(dropped: &Arc<AtomicUsize>) -> Result<Self>;

    /// Populates the object in another thread than the callback's, after the registration.
    fn populate_elsewhere(&self, dev: &Device<Bound>) -> Result;

    /// The accessor, for the callback.
    fn access<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Resource>;
}

/// A slot that the callback populates.
struct Slot {
    lazy: Pin<KBox<Lazy<Resource>>>,
    dropped: Arc<AtomicUsize>,
}

impl Owner for Slot {
    fn new(dropped: &Arc<AtomicUsize>) -> Result<Self> {
        Ok(Self {
            lazy: KBox::pin_init(new_lazy!("slot"), GFP_KERNEL)?,
            dropped: dropped.clone(),
        })
    }

    fn populate_elsewhere(&self, _dev: &Device<Bound>) -> Result {
        Ok(())
    }

    fn access<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Resource> {
        match self.lazy.get(dev) {
            Some(resource) => Ok(resource),
            None => self
                .lazy
                .lock()
                .populate(dev, || Resource::new(&self.dropped)),
        }
    }
}

/// A slot that another thread populates.
struct Populated(Slot);

impl Owner for Populated {
    fn new(dropped: &Arc<AtomicUsize>) -> Result<Self> {
        Slot::new(dropped).map(Self)
    }

    fn populate_elsewhere(&self, dev: &Device<Bound>) -> Result {
        self.0.access(dev).map(|_| ())
    }

    fn access<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Resource> {
        self.0.lazy.get(dev).ok_or(ENXIO)
    }
}

/// A [`Batched`] that is made after the registration.
struct Later {
    batched: SetOnce<Pin<KBox<Batched<Resource>>>>,
    dropped: Arc<AtomicUsize>,
}

impl Owner for Later {
    fn new(dropped: &Arc<AtomicUsize>) -> Result<Self> {
        Ok(Self {
            batched: SetOnce::new(),
            dropped: dropped.clone(),
        })
    }

    fn populate_elsewhere(&self, dev: &Device<Bound>) -> Result {
        let made = Batched::new(dev, Resource::new(&self.dropped)?);
        self.batched.populate(KBox::pin_init(made, GFP_KERNEL)?);
        Ok(())
    }

    fn access<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Resource> {
        self.batched.as_ref().ok_or(ENXIO)?.access(dev)
    }
}

fn device() -> Result<TestDevice> {
    TestDevice::new(c"gpu0")
}

/// A callback on another thread uses a resource when unbind begins, and until the registration's
/// drop has waited for it.
fn lent<R: Register, O: Owner>() -> Check {
    let dropped = Arc::new(AtomicUsize::new(0));
    let mut dev = device()?;
    let bound = dev.bind()?;
    let owner = Arc::new(O::new(&dropped)?);

    let (begin, begins) = mpsc::channel();
    let (using, is_using) = mpsc::channel();
    let (unbinding, is_unbinding) = mpsc::channel();
    let callback = {
        let (owner, dropped, dev) = (owner.clone(), dropped.clone(), bound.device());
        thread::spawn(move || -> Check {
            begins.recv().map_err(|_| EIO)?;
            // SAFETY: The registration's drop, which unbind waits for, waits for this thread.
            let dev = unsafe { dev.as_bound() };
            let resource = owner.access(dev);
            using.send(resource.is_ok()).map_err(|_| EIO)?;
            let resource = resource?;

            is_unbinding.recv().map_err(|_| EIO)?;
            let gone = dropped.load(SeqCst);
            ensure!(gone == 0, "the resource was dropped under the callback");
            ensure!(*resource.value == 7, "another value");
            let again = owner.access(dev)?;
            ensure!(*again.value == 7, "another value at the next access");
            Ok(())
        })
    };
    let found = Arc::new(Mutex::new(None));
    let registration = {
        let found = found.clone();
        ScopeGuard::new(move || {
            unbinding.send(()).unwrap();
            *found.lock().unwrap() = Some(callback.join().unwrap());
        })
    };
    R::register(&bound, registration)?;
    owner.populate_elsewhere(&bound)?;
    begin.send(()).map_err(|_| EIO)?;
    ensure!(is_using.recv() == Ok(true), "the callback has no resource");

    bound.unbind();
    let found = found.lock().unwrap().take();
    let gone = dropped.load(SeqCst);
    ensure!(gone == 1, "dropped {gone} times");
    found.unwrap_or_else(|| Err(Wrong("the callback was not waited for".to_owned())))
}

/// The resource is one that the callback has mapped itself.
#[test]
fn lent_to_a_callback() {
    holds::<Ours>(lent::<Ours, Slot>);
    caught::<NotPrepared>(lent::<NotPrepared, Slot>);
}

/// The resource is one that another thread has mapped, after the registration.
#[test]
fn lent_after_another_population() {
    holds::<Ours>(lent::<Ours, Populated>);
    caught::<NotPrepared>(lent::<NotPrepared, Populated>);
}

/// The resource is a [`Batched`] that was made after the registration.
#[test]
fn lent_from_batched() {
    holds::<Ours>(lent::<Ours, Later>);
    caught::<NotPrepared>(lent::<NotPrepared, Later>);
}

/// A registration that comes before the first population is dropped first, and
/// [`devres::prepare()`] does the same for a `Devres`.
fn order<R: Register>() -> Check {
    let mut dev = device()?;
    for is_prepared in [false, true] {
        let dropped = Arc::new(AtomicUsize::new(0));
        let found = Arc::new(Mutex::new(None));
        let bound = dev.bind()?;
        let look = {
            let (found, dropped) = (found.clone(), dropped.clone());
            ScopeGuard::new(move || *found.lock().unwrap() = Some(dropped.load(SeqCst)))
        };
        let slot = Slot::new(&dropped)?;

        let _registration = if is_prepared {
            devres::prepare(&bound)?;
            Some(Devres::new(&bound, look)?)
        } else {
            R::register(&bound, look)?;
            None
        };
        slot.access(&bound)?;

        bound.unbind();
        let found = found.lock().unwrap().take();
        ensure!(found == Some(0), "prepared: {is_prepared}, found {found:?}");
        ensure!(dropped.load(SeqCst) == 1, "not dropped by unbind");
    }
    Ok(())
}

#[test]
fn order_of_registrations() {
    holds::<Ours>(order::<Ours>);
    caught::<NotPrepared>(order::<NotPrepared>);
}

/// A registration that is made while unbind is under way, by a devres callback, does not fail for
/// want of a place. The device refuses first accesses then, so there are no slots to be placed.
#[test]
fn register_during_unbind() -> Result {
    for is_placed in [false, true] {
        let (dropped, late) = (Arc::default(), Arc::new(AtomicUsize::new(0)));
        let mut dev = device()?;
        let bound = dev.bind()?;
        let slot = Arc::new(Slot::new(&dropped)?);
        let (tell, told) = mpsc::channel();

        let callback = {
            let (slot, late, dev) = (slot.clone(), late.clone(), bound.device());
            ScopeGuard::new(move || {
                // SAFETY: Unbind is waiting for this callback.
                let dev = unsafe { dev.as_bound() };
                let registration = Resource::new(&late);
                let registered = registration.and_then(|it| Ours::register(dev, it));
                let accessed = slot.access(dev).map(|_| ());
                tell.send((registered, accessed)).unwrap();
            })
        };
        let older = Devres::new(&bound, callback)?;
        if is_placed {
            devres::prepare(&bound)?;
        }

        bound.unbind();
        assert_eq!(told.recv(), Ok((Ok(()), Err(ENXIO))));
        // The registration is released with the device.
        drop((older, dev));
        assert_eq!(late.load(SeqCst), 1);
        assert_eq!(dropped.load(SeqCst), 0);
    }
    Ok(())
}

/// A registration that is made while unbind is under way, before devres releases anything, as by the
/// driver's `remove()`: that unbind drops it.
#[test]
fn register_during_remove() -> Result {
    for is_placed in [false, true] {
        let late = Arc::new(AtomicUsize::new(0));
        let mut dev = device()?;
        let bound = dev.bind()?;
        if is_placed {
            devres::prepare(&bound)?;
        }

        // SAFETY: The device is valid.
        let status = unsafe { &(*bound.as_raw()).links.status };
        let was = status.swap(bindings::dl_dev_state_DL_DEV_UNBINDING, SeqCst);
        let registered = Ours::register(&bound, Resource::new(&late)?);
        status.store(was, SeqCst);
        assert_eq!(registered, Ok(()), "placed: {is_placed}");

        bound.unbind();
        assert_eq!(late.load(SeqCst), 1);
        // Nothing is left on the device, which would refuse to be bound.
        dev.bind()?.unbind();
    }
    Ok(())
}

/// Without memory for the slots' registry, or for the registration, nothing is registered.
#[test]
fn register_without_memory() -> Result {
    let mut failed = 0;
    for nth in 1.. {
        let dropped = Arc::new(AtomicUsize::new(0));
        // A new one each time, as the slots' registry is allocated once.
        let mut dev = device()?;
        let bound = dev.bind()?;
        let registration = Resource::new(&dropped)?;
        let fault = fail_nth(nth);
        let result = Ours::register(&bound, registration);
        let tripped = fault.tripped();
        drop(fault);

        assert_eq!(result, if tripped { Err(ENOMEM) } else { Ok(()) });
        assert_eq!(dropped.load(SeqCst), usize::from(tripped));
        bound.unbind();
        assert_eq!(dropped.load(SeqCst), 1);
        // Nothing is left on the device, which would refuse to be bound.
        dev.bind()?.unbind();
        if !tripped {
            break;
        }
        failed += 1;
    }

    // The registry, its node, the registration, and its node.
    assert_eq!(failed, 4);
    Ok(())
}
