// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Several slots on one device: how unbind goes through them, and what it may meet on the way.

use kernel::{
    device::{
        Bound,
        Device, //
    },
    devres::{
        self,
        Devres,
        Lazy, //
    },
    new_lazy,
    prelude::*,
    sync::aref::ARef,
    testing::TestDevice,
    types::ScopeGuard, //
};
use std::{
    any::Any,
    panic::{
        catch_unwind,
        AssertUnwindSafe, //
    },
    sync::{
        mpsc,
        Arc,
        Barrier,
        Mutex, //
    },
    thread,
};

/// The names of what was dropped.
type Log = Arc<Mutex<Vec<u32>>>;

/// A resource that notes its name when it is dropped, and then drops what it owns.
struct Resource {
    name: u32,
    log: Log,
    _owns: Option<Box<dyn Any + Send + Sync>>,
}

impl Drop for Resource {
    fn drop(&mut self) {
        self.log.lock().unwrap().push(self.name);
        assert_ne!(self.name, 99, "told to panic");
    }
}

type Slot = Arc<Pin<KBox<Lazy<Resource>>>>;

fn slot() -> Slot {
    Arc::new(KBox::pin_init(new_lazy!("slot"), GFP_KERNEL).unwrap())
}

fn populate(
    slot: &Slot,
    dev: &Device<Bound>,
    name: u32,
    log: &Log,
    owns: Option<Box<dyn Any + Send + Sync>>,
) -> Result {
    slot.lock()
        .populate(dev, || {
            Ok(Resource {
                name,
                log: log.clone(),
                _owns: owns,
            })
        })
        .map(|_| ())
}

fn device() -> TestDevice {
    TestDevice::new(c"gpu0").unwrap()
}

/// What was populated last goes first, whoever owns it; and what is left when some were freed.
#[test]
fn order_among_owners() -> Result {
    let log = Log::default();
    let mut dev = device();
    let bound = dev.bind()?;

    let mut slots: Vec<_> = (0..8).map(|_| slot()).collect();
    for (name, slot) in (0..).zip(&slots) {
        populate(slot, &bound, name, &log, None)?;
    }
    // The last one, the first one, and neighbours in the middle.
    for index in [7, 0, 3, 3] {
        drop(slots.remove(index));
    }
    assert_eq!(log.lock().unwrap().split_off(0), [7, 0, 4, 5]);

    bound.unbind();
    assert_eq!(log.lock().unwrap().split_off(0), [6, 3, 2, 1]);
    drop(slots);
    assert_eq!(log.lock().unwrap().len(), 0, "dropped again");
    Ok(())
}

/// Unbind of one device leaves another one alone, and a device that is bound again has its own.
#[test]
fn registry_per_device_and_binding() -> Result {
    let log = Log::default();
    let (mut dev, mut other) = (device(), device());
    let (bound, other) = (dev.bind()?, other.bind()?);

    let slots = [slot(), slot(), slot()];
    populate(&slots[0], &bound, 0, &log, None)?;
    populate(&slots[1], &other, 1, &log, None)?;
    bound.unbind();
    assert_eq!(*log.lock().unwrap(), [0]);
    assert!(slots[1].get(&other).is_some());

    let bound = dev.bind()?;
    populate(&slots[2], &bound, 2, &log, None)?;
    // One that the last binding has revoked.
    assert_eq!(populate(&slots[0], &bound, 3, &log, None), Err(ENXIO));
    bound.unbind();
    assert_eq!(*log.lock().unwrap(), [0, 2]);
    other.unbind();
    assert_eq!(*log.lock().unwrap(), [0, 2, 1]);
    Ok(())
}

/// A first access in the middle of unbind is refused, whether there is a slot that this unbind goes
/// through or not: nobody would drop what it maps. It is no revocation; the next binding serves it.
#[test]
fn first_access_during_unbind() -> Result {
    for is_one_populated in [true, false] {
        for is_callback_first in [true, false] {
            let log = Log::default();
            let mut dev = device();
            let bound = dev.bind()?;
            let (early, late) = (slot(), slot());
            let (result, results) = mpsc::channel();

            let callback = {
                let (late, log, dev) = (late.clone(), log.clone(), bound.device());
                ScopeGuard::new(move || {
                    // SAFETY: Unbind is under way, as it is for callbacks that are passed a bound
                    // device.
                    let dev = unsafe { dev.as_bound() };
                    result.send(populate(&late, dev, 1, &log, None)).unwrap();
                })
            };
            let _callback = if is_callback_first {
                let callback = Devres::new(&bound, callback)?;
                if is_one_populated {
                    populate(&early, &bound, 0, &log, None)?;
                }
                Some(callback)
            } else {
                if is_one_populated {
                    populate(&early, &bound, 0, &log, None)?;
                }
                // This gives the slots a place, if they have none.
                devres::register(&bound, callback, GFP_KERNEL)?;
                None
            };

            bound.unbind();
            assert_eq!(results.recv(), Ok(Err(ENXIO)));
            let dropped: &[u32] = if is_one_populated { &[0] } else { &[] };
            assert_eq!(*log.lock().unwrap(), dropped);

            // Nothing is left on the device, which would refuse to be bound.
            let bound = dev.bind()?;
            populate(&late, &bound, 2, &log, None)?;
            bound.unbind();
            assert_eq!(log.lock().unwrap().last(), Some(&2));
        }
    }
    Ok(())
}

/// A resource that drops the last reference to another owner on the same device, during unbind:
/// whichever of the two unbind has come to.
#[test]
fn drop_of_another_owner_during_unbind() -> Result {
    for is_inner_first in [true, false] {
        let log = Log::default();
        let mut dev = device();
        let bound = dev.bind()?;
        let (outer, inner) = (slot(), slot());

        let inner_of_outer: Box<dyn Any + Send + Sync> = Box::new(inner.clone());
        if is_inner_first {
            populate(&inner, &bound, 1, &log, None)?;
            populate(&outer, &bound, 0, &log, Some(inner_of_outer))?;
        } else {
            populate(&outer, &bound, 0, &log, Some(inner_of_outer))?;
            populate(&inner, &bound, 1, &log, None)?;
        }
        drop(inner);

        bound.unbind();
        let expected = if is_inner_first { [0, 1] } else { [1, 0] };
        assert_eq!(*log.lock().unwrap(), expected);
    }
    Ok(())
}

/// As above, on two devices that are unbound at once, each with resources that own what is on the
/// other one; and with a third thread that frees what they own.
#[test]
fn drop_of_other_owners_on_two_devices() -> Result {
    for _ in 0..200 {
        let log = Log::default();
        let (mut here, mut there) = (device(), device());
        let (here, there) = (here.bind()?, there.bind()?);

        // A chain that goes to and fro between the devices, each owning the next one.
        let last = slot();
        populate(&last, &there, 0, &log, None)?;
        let mut chain = last.clone();
        for name in 1..8 {
            let dev: &Device<Bound> = if name % 2 == 0 { &there } else { &here };
            let next = slot();
            populate(&next, dev, name, &log, Some(Box::new(chain)))?;
            chain = next;
        }

        let start = Barrier::new(4);
        thread::scope(|scope| {
            for dev in [here, there] {
                scope.spawn(|| {
                    start.wait();
                    dev.unbind();
                });
            }
            for owner in [chain, last] {
                scope.spawn(|| {
                    start.wait();
                    drop(owner);
                });
            }
        });
        let mut dropped = log.lock().unwrap().split_off(0);
        dropped.sort_unstable();
        assert_eq!(dropped, [0, 1, 2, 3, 4, 5, 6, 7]);
    }
    Ok(())
}

/// If dropping a resource panics, the others are dropped all the same, and nobody hangs.
#[test]
fn drop_panics() -> Result {
    let log = Log::default();
    let mut dev = device();
    let slots = [slot(), slot(), slot(), slot()];

    let bound = dev.bind()?;
    for (name, slot) in [0, 99, 2, 99].into_iter().zip(&slots) {
        populate(slot, &bound, name, &log, None)?;
    }
    assert!(catch_unwind(AssertUnwindSafe(|| bound.unbind())).is_err());
    assert_eq!(log.lock().unwrap().split_off(0), [99, 2, 99, 0]);
    drop(slots);

    // The same for a free, and the unbind after it.
    let bound = dev.bind()?;
    let slots = [slot(), slot()];
    for (name, slot) in [0, 99].into_iter().zip(&slots) {
        populate(slot, &bound, name, &log, None)?;
    }
    let [first, second] = slots;
    assert!(catch_unwind(AssertUnwindSafe(|| drop(second))).is_err());
    bound.unbind();
    assert_eq!(log.lock().unwrap().split_off(0), [99, 0]);
    drop(first);
    Ok(())
}

/// What a resource finds in its own slot when it is dropped.
type Found = (bool, bool, Option<Error>);

/// A resource that looks into its own slot when it is dropped.
struct Dying {
    slot: *const Lazy<Self>,
    dev: ARef<Device>,
    found: Arc<Mutex<Vec<Found>>>,
}

// SAFETY: The slot may be used on any thread.
unsafe impl Send for Dying {}

// SAFETY: As above.
unsafe impl Sync for Dying {}

impl Drop for Dying {
    fn drop(&mut self) {
        // SAFETY: The slot is there until its resource is dropped.
        let slot = unsafe { &*self.slot };
        // SAFETY: The device is bound, or being unbound.
        let dev = unsafe { self.dev.as_bound() };

        let again = slot.lock().populate(dev, || -> Result<Self> { Err(EIO) });
        let found = (
            slot.get(dev).is_some(),
            slot.try_access().is_some(),
            again.err(),
        );
        self.found.lock().unwrap().push(found);
    }
}

/// Nothing, and it cannot populate it, whoever drops it.
#[test]
fn slot_of_a_dying_resource() -> Result {
    type Slot = Pin<KBox<Lazy<Dying>>>;
    let ends: [fn(Slot) -> Option<Slot>; 3] = [
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
        let mut dev = device();
        let bound = dev.bind()?;
        let found = Arc::new(Mutex::new(Vec::new()));
        let slot: Slot = KBox::pin_init(new_lazy!("slot"), GFP_KERNEL)?;
        slot.lock().populate(&bound, || {
            Ok(Dying {
                slot: &raw const *slot,
                dev: bound.device(),
                found: found.clone(),
            })
        })?;

        let slot = end(slot);
        bound.unbind();
        assert_eq!(*found.lock().unwrap(), [(false, false, Some(ENXIO))]);
        drop(slot);
    }
    Ok(())
}
