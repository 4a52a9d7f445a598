// SPDX-License-Identifier: GPL-2.0

//! Several slots on one device: the order in which unbind drops their resources, and accesses and
//! frees in the meantime.

use super::{
    kunit_support::{
        devres_nodes,
        ensure,
        ensure_ok,
        TestDevice,
        Thread, //
    },
    register,
    Devres,
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
        Arc,
        Mutex, //
    },
    types::ScopeGuard, //
};

/// The names of the resources that were dropped.
#[pin_data]
pub(super) struct Log {
    #[pin]
    names: Mutex<KVec<i32>>,
}

impl Log {
    pub(super) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                names <- new_mutex!(KVec::new()),
            }),
            GFP_KERNEL,
        )
    }

    /// Adds a name.
    pub(super) fn note(&self, name: i32) {
        // If this fails, the test finds the name missing.
        let _ = self.names.lock().push(name, GFP_KERNEL);
    }

    /// Fails unless these are the names, in this order. Clears the log.
    pub(super) fn ensure(&self, names: &[i32]) -> Result {
        let mut logged = self.names.lock();
        ensure!(
            logged[..] == *names,
            "dropped {:?}, not {names:?}",
            &**logged
        );
        logged.clear();
        Ok(())
    }
}

/// A resource that notes its name when it is dropped, and then drops the owner that it owns.
struct Resource {
    name: i32,
    log: Arc<Log>,
    _owns: Option<Arc<Slot>>,
}

impl Drop for Resource {
    fn drop(&mut self) {
        self.log.note(self.name);
    }
}

/// An owner.
#[pin_data]
struct Slot {
    #[pin]
    lazy: Lazy<Resource>,
}

impl Slot {
    fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                lazy <- new_lazy!("Slot::lazy"),
            }),
            GFP_KERNEL,
        )
    }

    fn populate(
        &self,
        dev: &Device<Bound>,
        name: i32,
        log: &Arc<Log>,
        owns: Option<Arc<Slot>>,
    ) -> Result {
        self.lazy.get_or_populate(dev, || {
            Ok(Resource {
                name,
                log: log.clone(),
                _owns: owns,
            })
        })?;
        Ok(())
    }
}

#[kunit_tests(rust_devres_lazy_device)]
mod tests {
    use super::*;

    /// Unbind drops resources in the reverse order of population across owners, also after some
    /// owners were freed.
    #[test]
    fn order_among_owners() -> Result {
        let log = Log::new()?;
        let mut dev = TestDevice::new()?;

        let mut slots = KVec::new();
        for name in 0..8 {
            let slot = Slot::new()?;
            slot.populate(dev.bound()?.as_ref(), name, &log, None)?;
            slots.push(slot, GFP_KERNEL)?;
        }
        // The last one, the first one, and neighbours in the middle.
        for index in [7, 0, 3, 3] {
            drop(slots.remove(index).map_err(|_| EINVAL)?);
        }
        log.ensure(&[7, 0, 4, 5])?;

        dev.unbind();
        log.ensure(&[6, 3, 2, 1])?;
        drop(slots);
        log.ensure(&[])
    }

    /// Unbind of one device does not affect another one. A device that is bound again has a new
    /// registry.
    #[test]
    fn registry_per_device_and_binding() -> Result {
        let log = Log::new()?;
        let (mut dev, mut other) = (TestDevice::new()?, TestDevice::new()?);

        let slots = [Slot::new()?, Slot::new()?, Slot::new()?];
        slots[0].populate(dev.bound()?.as_ref(), 0, &log, None)?;
        slots[1].populate(other.bound()?.as_ref(), 1, &log, None)?;
        dev.unbind();
        log.ensure(&[0])?;
        let is_there = slots[1].lazy.get(other.bound()?.as_ref()).is_some();
        ensure!(is_there, "unbind has revoked a slot of another device");

        dev.rebind()?;
        slots[2].populate(dev.bound()?.as_ref(), 2, &log, None)?;
        // A slot that the unbind before has revoked.
        let revoked = slots[0].populate(dev.bound()?.as_ref(), 3, &log, None);
        ensure!(revoked == Err(ENXIO), "after a rebind: {revoked:?}");
        dev.unbind();
        log.ensure(&[2])?;
        other.unbind();
        log.ensure(&[1])
    }

    /// All slots of a device share one devres node, also where other managed resources of the
    /// device were added in between.
    #[test]
    fn registry_among_others() -> Result {
        let log = Log::new()?;
        let mut dev = TestDevice::new()?;
        let bound = dev.bound()?.as_ref();
        let before = devres_nodes(bound);

        let slots = [Slot::new()?, Slot::new()?];
        slots[0].populate(bound, 0, &log, None)?;
        let first = devres_nodes(bound);
        register(bound, 0_u32, GFP_KERNEL)?;
        slots[1].populate(bound, 1, &log, None)?;
        let second = devres_nodes(bound);

        ensure!(
            first == before + 1,
            "the first one has added {}",
            first - before
        );
        ensure!(second == first + 1, "the second one has added a node");
        dev.unbind();
        log.ensure(&[1, 0])
    }

    /// A first access during unbind fails if this unbind has passed the slots' place already: it
    /// would come to the resource after older ones, or not at all. The slot is not revoked, and
    /// the next binding can populate it. If this unbind has not reached the slots' place yet, the
    /// access succeeds, and this unbind drops the resource.
    #[test]
    fn first_access_during_unbind() -> Result {
        for (is_one_populated, is_callback_first) in
            [(true, true), (true, false), (false, true), (false, false)]
        {
            let log = Log::new()?;
            let mut dev = TestDevice::new()?;
            let (early, late) = (Slot::new()?, Slot::new()?);
            let result = Arc::pin_init(new_mutex!(None), GFP_KERNEL)?;

            let callback = {
                let (late, log, result) = (late.clone(), log.clone(), result.clone());
                let dev: &Device<Bound> = dev.bound()?.as_ref();
                let dev: ARef<Device> = dev.into();
                ScopeGuard::new(move || {
                    // SAFETY: Unbind is waiting for this callback.
                    let dev = unsafe { dev.as_bound() };
                    *result.lock() = Some(late.populate(dev, 1, &log, None));
                })
            };
            if is_one_populated && !is_callback_first {
                early.populate(dev.bound()?.as_ref(), 0, &log, None)?;
            }
            let _callback = if is_callback_first {
                Some(Devres::new(dev.bound()?.as_ref(), callback)?)
            } else {
                // `register()` gives the slots a place, if they have none.
                register(dev.bound()?.as_ref(), callback, GFP_KERNEL)?;
                None
            };
            if is_one_populated && is_callback_first {
                early.populate(dev.bound()?.as_ref(), 0, &log, None)?;
            }

            dev.unbind();
            let result: Option<Result> = *result.lock();
            let (in_the_middle, dropped): (_, &[i32]) = match (is_callback_first, is_one_populated)
            {
                (true, true) => (Err(ENXIO), &[0]),
                (true, false) => (Err(ENXIO), &[]),
                (false, true) => (Ok(()), &[1, 0]),
                (false, false) => (Ok(()), &[1]),
            };
            ensure!(
                result == Some(in_the_middle),
                "in the middle of unbind: {result:?}"
            );
            log.ensure(dropped)?;

            // The device can be bound, as nothing is left on its list.
            ensure_ok!(dev.rebind(), "the next binding");
            let next = late.populate(dev.bound()?.as_ref(), 2, &log, None);
            let (expected, dropped): (_, &[i32]) = match in_the_middle {
                Ok(()) => (Err(ENXIO), &[]),
                Err(_) => (Ok(()), &[2]),
            };
            ensure!(next == expected, "in the next binding: {next:?}");
            dev.unbind();
            log.ensure(dropped)?;
        }
        Ok(())
    }

    /// During unbind, a resource drops the last reference to another owner on the same device,
    /// whose resource is older or newer.
    #[test]
    fn drop_of_another_owner_during_unbind() -> Result {
        for is_inner_first in [true, false] {
            let log = Log::new()?;
            let mut dev = TestDevice::new()?;
            let (outer, inner) = (Slot::new()?, Slot::new()?);

            let owned = Some(inner.clone());
            if is_inner_first {
                inner.populate(dev.bound()?.as_ref(), 1, &log, None)?;
                outer.populate(dev.bound()?.as_ref(), 0, &log, owned)?;
            } else {
                outer.populate(dev.bound()?.as_ref(), 0, &log, owned)?;
                inner.populate(dev.bound()?.as_ref(), 1, &log, None)?;
            }
            drop(inner);

            dev.unbind();
            log.ensure(if is_inner_first { &[0, 1] } else { &[1, 0] })?;
        }
        Ok(())
    }

    /// The same on two devices that are unbound at once. Resources of each device own owners on the
    /// other one, and other threads free owners meanwhile.
    #[test]
    fn drop_of_other_owners_on_two_devices() -> Result {
        const ROUNDS: usize = 20;

        for _ in 0..ROUNDS {
            let log = Log::new()?;
            let (mut here, mut there) = (TestDevice::new()?, TestDevice::new()?);

            // A chain of owners on alternating devices: the resource of each owns the owner before
            // it.
            let last = Slot::new()?;
            last.populate(there.bound()?.as_ref(), 0, &log, None)?;
            let mut chain = last.clone();
            for name in 1..8 {
                let dev = if name % 2 == 0 { &there } else { &here };
                let next = Slot::new()?;
                next.populate(dev.bound()?.as_ref(), name, &log, Some(chain))?;
                chain = next;
            }

            let threads = [
                Thread::new(move || here.unbind())?,
                Thread::new(move || there.unbind())?,
                Thread::new(move || drop(chain))?,
                Thread::new(move || drop(last))?,
            ];
            for thread in &threads {
                thread.start();
            }
            for thread in threads {
                thread.join()?;
            }

            log.names.lock().sort_unstable();
            log.ensure(&[0, 1, 2, 3, 4, 5, 6, 7])?;
        }
        Ok(())
    }
}
