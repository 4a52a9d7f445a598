// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The reference copy: a slot written from scratch, with locks that are easy to verify. With a
//! fault, the copy is a mutant.

use super::{
    probe::{Probe, Resource},
    tested::Tested,
};
use fault::Fault;
use kernel::{
    device::{Bound, Device},
    devres, new_mutex,
    prelude::*,
    sync::{aref::ARef, rcu, Mutex},
};
use std::{
    marker::PhantomData,
    mem, ptr,
    sync::{Arc, Condvar, Mutex as Word, MutexGuard as WordGuard, PoisonError},
};

pub(crate) mod fault {
    //! The faults of mutants.

    /// A fault.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Kind {
        /// No fault.
        None,
        /// No thread takes the lock.
        NoLock,
        /// Maps for any device.
        NoDeviceCheck,
        /// Maps, and then compares the device.
        DeviceCheckAfterMap,
        /// A failed map keeps the pages that it took.
        Unbalanced,
        /// A failed map, or one that panics, is not tried again.
        StaysFailed,
        /// Maps before the memory to keep track of it is there.
        MapsBeforeAllocating,
        /// Unbind revokes, but does not drop.
        ReleaseKeeps,
        /// The fast path compares the device only.
        NoRevokedCheck,
        /// Unbind leaves the slot empty.
        EmptyAfterUnbind,
        /// Dropping the owner leaves the resource to unbind.
        DropKeeps,
        /// Dropping the owner does not wait for unbind.
        DropDoesNotWait,
        /// Unbind does not wait for the owner to be dropped.
        ReleaseDoesNotWait,
        /// Both sides drop the resource.
        DropsTwice,
        /// `peek` does not report a wrong device.
        PeekIgnoresDevice,
        /// `peek` maps.
        PeekMaps,
        /// `try_access` returns a revoked resource.
        TryIgnoresRevoked,
        /// `revoke` does not drop.
        RevokeKeeps,
        /// `revoke` leaves the slot revoked, as unbind does.
        RevokeIsFinal,
    }

    /// A type for each kind.
    pub(crate) trait Fault: Send + Sync + 'static {
        const KIND: Kind;
    }

    macro_rules! faults {
        ($($name:ident)*) => {
            $(
                pub(crate) struct $name;

                impl Fault for $name {
                    const KIND: Kind = Kind::$name;
                }
            )*
        };
    }

    faults! {
        None NoLock NoDeviceCheck DeviceCheckAfterMap
        Unbalanced StaysFailed MapsBeforeAllocating ReleaseKeeps NoRevokedCheck EmptyAfterUnbind
        DropKeeps DropDoesNotWait ReleaseDoesNotWait DropsTwice PeekIgnoresDevice PeekMaps
        TryIgnoresRevoked RevokeKeeps RevokeIsFinal
    }
}

use fault::Kind;

/// An object with such a slot, and with the fault `F`.
pub(crate) struct ReferenceCopy<F: Fault> {
    dev: ARef<Device>,
    probe: Arc<Probe>,
    lock: Pin<KBox<Mutex<()>>>,
    slot: Arc<Slot>,
    _fault: PhantomData<F>,
}

/// The slot's state. Its lock is never held while anything is called.
#[derive(Default)]
struct Slot(Word<State>);

#[derive(Default)]
enum State {
    #[default]
    Empty,
    Populated(Arc<Held>),
    Revoked(Arc<Held>),
    Failed,
}

/// A resource, until the owner or unbind drops it.
struct Held {
    id: u32,
    probe: Arc<Probe>,
    value: Word<Option<Resource>>,
    is_gone: Word<bool>,
    gone: Condvar,
}

/// Registered with the device: dropped when that is unbound.
struct Release<F: Fault> {
    slot: Arc<Slot>,
    held: Arc<Held>,
    _fault: PhantomData<F>,
}

fn lock<T>(word: &Word<T>) -> WordGuard<'_, T> {
    word.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Slot {
    fn set(&self, state: State) {
        *lock(&self.0) = state;
    }
}

impl Held {
    /// Drops the resource. If the other side drops it, waits for the end of that drop, if `waits`.
    fn drop_value(&self, kind: Kind, waits: bool) {
        let value = lock(&self.value).take();

        match value {
            Some(value) => {
                drop(value);
                *lock(&self.is_gone) = true;
                self.gone.notify_all();
            }
            None if kind == Kind::DropsTwice => drop(Resource {
                id: self.id,
                probe: self.probe.clone(),
            }),
            None if waits => {
                let mut is_gone = lock(&self.is_gone);
                while !*is_gone {
                    is_gone = self
                        .gone
                        .wait(is_gone)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
            None => (),
        }
    }
}

impl<F: Fault> Drop for Release<F> {
    fn drop(&mut self) {
        {
            let mut state = lock(&self.slot.0);
            let is_held =
                matches!(&*state, State::Populated(held) if Arc::ptr_eq(held, &self.held));
            match F::KIND {
                Kind::NoRevokedCheck => (),
                Kind::EmptyAfterUnbind if is_held => *state = State::Empty,
                _ if is_held => *state = State::Revoked(self.held.clone()),
                // The owner was first, or has a newer one.
                _ => (),
            }
        }
        if F::KIND == Kind::ReleaseKeeps {
            return;
        }

        rcu::synchronize_rcu();
        self.held
            .drop_value(F::KIND, F::KIND != Kind::ReleaseDoesNotWait);
    }
}

impl<F: Fault> ReferenceCopy<F> {
    /// The fast path.
    fn get(&self, dev: &Device<Bound>) -> Option<u32> {
        match &*lock(&self.slot.0) {
            State::Populated(held) if self.is_own(dev) => Some(held.id),
            _ => None,
        }
    }

    fn is_own(&self, dev: &Device<Bound>) -> bool {
        F::KIND == Kind::NoDeviceCheck || ptr::eq(self.dev.as_raw(), dev.as_raw())
    }

    /// Makes the resource, and what keeps it.
    fn map(&self, dev: &Device<Bound>) -> Result<Arc<Held>> {
        if F::KIND == Kind::MapsBeforeAllocating {
            let value = self.probe.make(dev)?;
            if let Err(error) = KBox::new(0_u8, GFP_KERNEL) {
                mem::forget(value);
                return Err(error.into());
            }
            return self.keep(dev, value);
        }

        // Stands for the memory of what keeps the resource.
        KBox::new(0_u8, GFP_KERNEL)?;

        let value = self.probe.take();
        if let Err(error) = self.probe.finish(dev) {
            if F::KIND == Kind::Unbalanced {
                mem::forget(value);
            }
            return Err(error);
        }

        self.keep(dev, value)
    }

    /// Registers the resource with its device.
    fn keep(&self, dev: &Device<Bound>, value: Resource) -> Result<Arc<Held>> {
        let held = Arc::new(Held {
            id: value.id,
            probe: self.probe.clone(),
            value: Word::new(Some(value)),
            is_gone: Word::new(false),
            gone: Condvar::new(),
        });
        let release = Release::<F> {
            slot: self.slot.clone(),
            held: held.clone(),
            _fault: PhantomData,
        };
        devres::register(dev, release, GFP_KERNEL)?;

        Ok(held)
    }

    /// Takes the resource out of the slot and drops it.
    fn drop_resource(&self) {
        let state = mem::take(&mut *lock(&self.slot.0));

        if let State::Populated(held) | State::Revoked(held) = state {
            held.drop_value(F::KIND, F::KIND != Kind::DropDoesNotWait);
        }
    }
}

impl<F: Fault> Tested for ReferenceCopy<F> {
    fn new(dev: &Device<Bound>, probe: &Arc<Probe>) -> Result<Self> {
        Ok(Self {
            dev: dev.into(),
            probe: probe.clone(),
            lock: KBox::pin_init(new_mutex!((), "Object::resource"), GFP_KERNEL)?,
            slot: Arc::default(),
            _fault: PhantomData,
        })
    }

    fn access(&self, dev: &Device<Bound>) -> Result<u32> {
        if let Some(id) = self.get(dev) {
            return Ok(id);
        }

        self.probe.ask(&self.dev);
        if F::KIND != Kind::DeviceCheckAfterMap && !self.is_own(dev) {
            return Err(EINVAL);
        }

        let _guard = (F::KIND != Kind::NoLock).then(|| self.lock.lock());

        if let Some(id) = self.get(dev) {
            return Ok(id);
        }
        match &*lock(&self.slot.0) {
            State::Revoked(_) => return Err(ENXIO),
            State::Failed => return Err(EIO),
            State::Empty | State::Populated(_) => (),
        }

        if F::KIND == Kind::StaysFailed {
            self.slot.set(State::Failed);
        }
        let held = self.map(dev)?;
        if !self.is_own(dev) {
            held.drop_value(F::KIND, false);
            return Err(EINVAL);
        }
        self.slot.set(State::Populated(held.clone()));

        Ok(held.id)
    }

    fn peek(&self, dev: &Device<Bound>) -> Result<Option<u32>> {
        if F::KIND == Kind::PeekMaps {
            return self.access(dev).map(Some);
        }

        match self.get(dev) {
            Some(id) => Ok(Some(id)),
            None if self.is_own(dev) || F::KIND == Kind::PeekIgnoresDevice => Ok(None),
            None => Err(EINVAL),
        }
    }

    fn try_access(&self, with: impl FnOnce()) -> Option<u32> {
        let _guard = rcu::read_lock();
        let id = match &*lock(&self.slot.0) {
            State::Populated(held) => held.id,
            State::Revoked(held) if F::KIND == Kind::TryIgnoresRevoked => held.id,
            _ => return None,
        };
        with();

        Some(id)
    }

    fn revoke(&mut self) {
        match F::KIND {
            Kind::RevokeKeeps => self.slot.set(State::Empty),
            Kind::RevokeIsFinal => {
                let state = mem::take(&mut *lock(&self.slot.0));
                if let State::Populated(held) = state {
                    held.drop_value(F::KIND, true);
                    self.slot.set(State::Revoked(held));
                }
            }
            _ => self.drop_resource(),
        }
    }
}

impl<F: Fault> Drop for ReferenceCopy<F> {
    fn drop(&mut self) {
        if F::KIND != Kind::DropKeeps {
            self.drop_resource();
        }
    }
}
