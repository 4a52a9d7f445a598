// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `devres::Batched` stands for `Devres`: the same scenarios on both. Where `Devres` falls short,
//! it is the broken twin.

use crate::scenario::{
    caught,
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
        Batched,
        Devres,
        Lazy, //
    },
    new_lazy,
    prelude::*,
    testing::TestDevice,
    types::ScopeGuard, //
};
use pinned_init::pin_init_from_closure;
use std::sync::{
    mpsc,
    Arc,
    Mutex, //
};

/// The names of what was dropped.
type Log = Arc<Mutex<Vec<u32>>>;

/// A resource that notes its name when it is dropped.
struct Resource {
    name: u32,
    log: Log,
}

impl Resource {
    fn new(name: u32, log: &Log) -> Self {
        Self {
            name,
            log: log.clone(),
        }
    }
}

impl Drop for Resource {
    fn drop(&mut self) {
        self.log.lock().unwrap().push(self.name);
    }
}

/// What both are.
trait Managed: Sized + Send + 'static {
    fn new<'a, E: 'a>(dev: &'a Device<Bound>, data: impl PinInit<Resource, E> + 'a) -> Result<Self>
    where
        Error: From<E>;
    fn access<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Resource>;
    fn name_by_guard(&self) -> Option<u32>;
    fn device(&self) -> &Device;
}

impl Managed for Pin<KBox<Batched<Resource>>> {
    fn new<'a, E: 'a>(dev: &'a Device<Bound>, data: impl PinInit<Resource, E> + 'a) -> Result<Self>
    where
        Error: From<E>,
    {
        KBox::pin_init::<Error>(Batched::new(dev, data), GFP_KERNEL)
    }

    fn access<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Resource> {
        Batched::access(self, dev)
    }

    fn name_by_guard(&self) -> Option<u32> {
        self.try_access().map(|resource| resource.name)
    }

    fn device(&self) -> &Device {
        Batched::device(self)
    }
}

impl Managed for Devres<Resource> {
    fn new<'a, E: 'a>(dev: &'a Device<Bound>, data: impl PinInit<Resource, E> + 'a) -> Result<Self>
    where
        Error: From<E>,
    {
        Devres::new(dev, data)
    }

    fn access<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Resource> {
        Devres::access(self, dev)
    }

    fn name_by_guard(&self) -> Option<u32> {
        self.try_access().map(|resource| resource.name)
    }

    fn device(&self) -> &Device {
        Devres::device(self)
    }
}

type Ours = Pin<KBox<Batched<Resource>>>;
type Theirs = Devres<Resource>;

fn device() -> Result<TestDevice> {
    TestDevice::new(c"gpu0")
}

fn dropped(log: &Log) -> Vec<u32> {
    log.lock().unwrap().split_off(0)
}

/// Access by the right device and by another one, guards, drops, and the order at unbind.
fn stands_for_devres<M: Managed>() -> Check {
    let log = Log::default();
    let (mut dev, mut other) = (device()?, device()?);
    let (bound, other) = (dev.bind()?, other.bind()?);

    let mut all = Vec::new();
    for name in 0..4 {
        all.push(M::new(&bound, Resource::new(name, &log))?);
    }
    for (name, one) in (0..).zip(&all) {
        ensure!(one.access(&bound)?.name == name, "access to {name}");
        ensure!(one.name_by_guard() == Some(name), "guard of {name}");
        ensure!(one.device().name() == c"gpu0", "device of {name}");
        let refused = one.access(&other).err();
        ensure!(refused == Some(EINVAL), "another device: {refused:?}");
    }

    drop(all.remove(1));
    ensure!(dropped(&log) == [1], "a drop");
    bound.unbind();
    ensure!(dropped(&log) == [3, 2, 0], "the order of unbind");
    ensure!(all[0].name_by_guard().is_none(), "guard after unbind");
    drop(all);
    ensure!(dropped(&log).is_empty(), "dropped twice");
    Ok(())
}

/// The same device bound again: what it revoked stays revoked.
fn after_rebind<M: Managed>() -> Check {
    let log = Log::default();
    let mut dev = device()?;
    let bound = dev.bind()?;
    let one = M::new(&bound, Resource::new(0, &log))?;
    bound.unbind();

    let bound = dev.bind()?;
    let refused = one.access(&bound).err();
    ensure!(refused == Some(ENXIO), "after a rebind: {refused:?}");
    Ok(())
}

/// An initialiser that fails: there is nothing, and nothing is left on the device.
fn that_fails<M: Managed>() -> Check {
    let mut dev = device()?;
    let bound = dev.bind()?;

    // SAFETY: It fails, and has initialised nothing.
    let data = unsafe { pin_init_from_closure(|_: *mut Resource| Err::<(), _>(EIO)) };
    let failed = M::new(&bound, data).err();
    ensure!(failed == Some(EIO), "{failed:?}");

    bound.unbind();
    dev.bind()?.unbind();
    Ok(())
}

/// One that is made when unbind is under way: refused, or else dropped by that unbind.
fn during_unbind<M: Managed>() -> Check {
    let log = Log::default();
    let mut dev = device()?;
    let bound = dev.bind()?;
    let (made, results) = mpsc::channel();

    let callback = {
        let (log, dev) = (log.clone(), bound.device());
        ScopeGuard::new(move || {
            // SAFETY: Unbind is under way, as it is for callbacks that are passed a bound device.
            let dev = unsafe { dev.as_bound() };
            let one = M::new(dev, Resource::new(0, &log));
            made.send(one).unwrap();
        })
    };
    let _older = Devres::new(&bound, callback)?;
    bound.unbind();

    let made = results.recv().unwrap();
    ensure!(dropped(&log) == [0], "missed by unbind");
    ensure!(made.err() == Some(ENXIO), "made in the middle of unbind");
    dev.bind()?.unbind();
    Ok(())
}

#[test]
fn batched_stands_for_devres() {
    holds::<Ours>(stands_for_devres::<Ours>);
    holds::<Theirs>(stands_for_devres::<Theirs>);
}

#[test]
fn batched_after_rebind() {
    holds::<Ours>(after_rebind::<Ours>);
    caught::<Theirs>(after_rebind::<Theirs>);
}

#[test]
fn batched_that_fails() {
    holds::<Ours>(that_fails::<Ours>);
    holds::<Theirs>(that_fails::<Theirs>);
}

#[test]
fn batched_during_unbind() {
    holds::<Ours>(during_unbind::<Ours>);
    caught::<Theirs>(during_unbind::<Theirs>);
}

/// Unbind goes through them and through slots as one, the last one first.
#[test]
fn batched_among_slots() -> Result {
    let log = Log::default();
    let mut dev = device()?;
    let bound = dev.bind()?;
    let slots: [Pin<KBox<Lazy<Resource>>>; 2] = [
        KBox::pin_init(new_lazy!("first"), GFP_KERNEL)?,
        KBox::pin_init(new_lazy!("last"), GFP_KERNEL)?,
    ];

    slots[0]
        .lock()
        .populate(&bound, || Ok(Resource::new(0, &log)))?;
    let _between = Ours::new(&bound, Resource::new(1, &log))?;
    slots[1]
        .lock()
        .populate(&bound, || Ok(Resource::new(2, &log)))?;

    bound.unbind();
    assert_eq!(dropped(&log), [2, 1, 0]);
    Ok(())
}
