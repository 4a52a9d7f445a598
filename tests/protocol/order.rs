// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Order while owners are being freed: unbind does not drop a resource before every resource that
//! was populated later is gone, whichever side drops that.
//!
//! `Devres` keeps this order, since its release waits at each node. A list that an owner leaves
//! before it drops its resource does not.

use crate::scenario::{
    caught,
    comes_true,
    ensure,
    holds,
    Check,
    Wrong, //
};
use kernel::{
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
    new_lazy,
    prelude::*,
    testing::TestDevice,
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
    time::Duration, //
};

/// How long a wrong drop is given to happen.
const GRACE: Duration = Duration::from_millis(300);

/// A resource that calls a function when it is dropped.
type Resource = Box<dyn FnOnce() + Send + Sync>;

/// Calls the function.
struct Called(Option<Resource>);

impl Drop for Called {
    fn drop(&mut self) {
        if let Some(resource) = self.0.take() {
            resource();
        }
    }
}

/// An owner of one resource, which is registered with a device.
trait Owner: Sized + Send {
    fn new(dev: &Device<Bound>, resource: Resource) -> Result<Self>;
}

impl Owner for Pin<KBox<Lazy<Called>>> {
    fn new(dev: &Device<Bound>, resource: Resource) -> Result<Self> {
        let slot: Self = KBox::pin_init(new_lazy!("Owner::slot"), GFP_KERNEL)?;
        slot.lock().populate(dev, || Ok(Called(Some(resource))))?;
        Ok(slot)
    }
}

impl Owner for Pin<KBox<Batched<Called>>> {
    fn new(dev: &Device<Bound>, resource: Resource) -> Result<Self> {
        KBox::pin_init::<Error>(Batched::new(dev, Called(Some(resource))), GFP_KERNEL)
    }
}

impl Owner for Devres<Called> {
    fn new(dev: &Device<Bound>, resource: Resource) -> Result<Self> {
        Devres::new(dev, Called(Some(resource)))
    }
}

/// The mutant: an owner takes its resource off the list first, and unbind goes on without it.
struct Overtaken(Arc<Mutex<Option<Called>>>);

impl Owner for Overtaken {
    fn new(dev: &Device<Bound>, resource: Resource) -> Result<Self> {
        let this = Self(Arc::new(Mutex::new(Some(Called(Some(resource))))));
        let resource = this.0.clone();
        let release = ScopeGuard::new(move || {
            let resource = resource.lock().unwrap().take();
            drop(resource);
        });
        devres::register(dev, release, GFP_KERNEL)?;
        Ok(this)
    }
}

impl Drop for Overtaken {
    fn drop(&mut self) {
        let resource = self.0.lock().unwrap().take();
        drop(resource);
    }
}

/// Frees the owner with the number `freed` of three, and unbinds while that is dropping its
/// resource. No older one may be dropped meanwhile.
fn waits_for_an_owner<O: Owner>(freed: usize) -> Check {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    // How many of the resources that are older than the freed one were dropped.
    let older = Arc::new(AtomicUsize::new(0));
    let (begun, has_begun) = mpsc::channel();
    let (told, tell) = mpsc::channel();

    let mut begun = Some(begun);
    let mut owners = Vec::new();
    for number in 0..3 {
        let older = older.clone();
        let resource: Resource = if number == freed {
            let begun = begun.take().ok_or(EINVAL)?;
            let told = told.clone();
            Box::new(move || {
                begun.send(()).unwrap();
                // A wrong drop has this long to happen.
                let overtaken = comes_true(GRACE, || older.load(SeqCst) > 0);
                told.send(overtaken).unwrap();
            })
        } else {
            Box::new(move || {
                if number < freed {
                    older.fetch_add(1, SeqCst);
                }
            })
        };
        owners.push(Some(O::new(&bound, resource)?));
    }

    let owner = owners[freed].take();
    thread::scope(|scope| {
        scope.spawn(move || drop(owner));
        has_begun.recv().unwrap();
        bound.unbind();
    });

    let overtaken = tell.recv().unwrap();
    ensure!(!overtaken, "unbind has overtaken the owner of {freed}");
    let dropped = older.load(SeqCst);
    ensure!(dropped == freed, "{dropped} older ones are dropped");
    Ok(())
}

fn newest<O: Owner>() -> Check {
    waits_for_an_owner::<O>(2)
}

fn middle<O: Owner>() -> Check {
    waits_for_an_owner::<O>(1)
}

/// The owner of the resource that was populated last is being freed.
#[test]
fn order_while_an_owner_drops() {
    holds::<Pin<KBox<Lazy<Called>>>>(newest::<Pin<KBox<Lazy<Called>>>>);
    holds::<Devres<Called>>(newest::<Devres<Called>>);
    caught::<Overtaken>(newest::<Overtaken>);
}

/// The owner of a resource between two others is being freed.
#[test]
fn order_beside_an_owner_that_drops() {
    holds::<Pin<KBox<Lazy<Called>>>>(middle::<Pin<KBox<Lazy<Called>>>>);
    holds::<Devres<Called>>(middle::<Devres<Called>>);
    caught::<Overtaken>(middle::<Overtaken>);
}

/// The same for [`Batched`].
#[test]
fn batched_order_while_an_owner_drops() {
    holds::<Pin<KBox<Batched<Called>>>>(newest::<Pin<KBox<Batched<Called>>>>);
    holds::<Pin<KBox<Batched<Called>>>>(middle::<Pin<KBox<Batched<Called>>>>);
}
