// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The properties of the protocol. Each one fails on some mutant.

use super::{
    evictable::{EvictableLazy, LazyPin, PinEntry},
    lazy::{self, Entry, Lazy},
    registry::Registry,
};
use crate::{
    check::{check, Gate, Ledger, Resource},
    device::{Bound, Device},
    prelude::*,
    sync::LockClassKey,
};
use loom::{cell::UnsafeCell, thread};
use std::sync::{
    atomic::{AtomicBool, Ordering::SeqCst},
    Arc,
};

/// All properties, by their names.
pub(crate) const ALL: &[crate::Property] = &[
    ("two_populators", two_populators),
    ("three_populators", three_populators),
    ("failed_then_retried", failed_then_retried),
    ("dropped_then_retried", dropped_then_retried),
    ("forgotten_then_retried", forgotten_then_retried),
    ("access_in_its_own_initialiser", access_in_its_own_initialiser),
    ("two_devices", two_devices),
    ("two_devices_and_a_failure", two_devices_and_a_failure),
    ("a_second_registry", a_second_registry),
    ("first_access_while_a_group_is_released", first_access_while_a_group_is_released),
    ("prepare_against_a_group", prepare_against_a_group),
    ("two_devices_in_one_bucket", two_devices_in_one_bucket),
    ("access_against_unbind", access_against_unbind),
    ("guard_against_unbind", guard_against_unbind),
    ("two_guards_against_unbind", two_guards_against_unbind),
    ("guard_against_populate", guard_against_populate),
    ("guard_of_the_first", guard_of_the_first),
    ("guard_of_a_late_one", guard_of_a_late_one),
    ("free_against_unbind", free_against_unbind),
    ("owner_reuses_the_memory", owner_reuses_the_memory),
    ("revoke_against_unbind", revoke_against_unbind),
    ("slot_of_a_dying_resource", slot_of_a_dying_resource),
    ("two_slots_last_first", two_slots_last_first),
    ("two_slots_first_first", two_slots_first_first),
    ("neighbours_against_each_other", neighbours_against_each_other),
    ("order", order),
    ("order_while_an_owner_drops", order_while_an_owner_drops),
    ("order_beside_an_owner_that_drops", order_beside_an_owner_that_drops),
    ("unbind_during_populate", unbind_during_populate),
    ("first_access_during_unbind", first_access_during_unbind),
    ("waiting_during_unbind", waiting_during_unbind),
    ("lent_to_a_callback", lent_to_a_callback),
    ("rebind", rebind),
    ("drop_of_another_owner", drop_of_another_owner),
    ("pin_against_evict", pin_against_evict),
    ("two_pins_against_evict", two_pins_against_evict),
    ("evict_against_evict", evict_against_evict),
    ("evict_and_map_against_evict", evict_and_map_against_evict),
    ("evict_against_populate", evict_against_populate),
    ("evict_for_another_device", evict_for_another_device),
    ("evict_against_unbind", evict_against_unbind),
    ("order_while_evicting", order_while_evicting),
    ("eviction_that_is_cancelled", eviction_that_is_cancelled),
    ("slot_of_an_evicted_resource", slot_of_an_evicted_resource),
];

type Slot = Pin<Box<Lazy<Resource>>>;

fn slot() -> Slot {
    static KEY: LockClassKey = LockClassKey;

    let mut slot = Box::new(std::mem::MaybeUninit::<Lazy<Resource>>::uninit());
    let init = Lazy::new(c"slot", Pin::static_ref(&KEY));
    // SAFETY: `slot` is newly allocated memory, which does not move.
    let Ok(()) = unsafe { init.__pinned_init(slot.as_mut_ptr()) };

    // SAFETY: `slot` was initialised above.
    let slot = unsafe { Box::from_raw(Box::into_raw(slot).cast()) };
    Box::into_pin(slot)
}

fn device() -> Arc<Device<Bound>> {
    Arc::new(Device::new())
}

/// The accessor that `#[devres_lazy]` writes.
fn access<'a>(
    slot: &'a Lazy<Resource>,
    dev: &'a Device<Bound>,
    init: impl FnOnce() -> Result<Resource>,
) -> Result<&'a Resource> {
    if let Some(resource) = slot.get(dev) {
        return Ok(resource);
    }

    slot.get_or_populate(dev, init)
}

fn unbind(dev: &Device<Bound>) {
    unbind_then(dev, || ());
}

/// Unbinds the device. `callbacks` stands for the release of the registration that `dev.register()`
/// added. Without that call, the registration is older than the slots, and released after them.
fn unbind_then(dev: &Device<Bound>, callbacks: impl FnOnce()) {
    dev.unbind(Registry::release, callbacks);
}

fn populators(threads: usize) {
    let (dev, ledger, slot) = (device(), Ledger::new(), Arc::new(slot()));

    let populate = {
        let (dev, ledger, slot) = (dev.clone(), ledger.clone(), slot.clone());
        move || access(&slot, &dev, || ledger.make(0)).unwrap().read()
    };
    let others: Vec<_> = (1..threads).map(|_| thread::spawn(populate.clone())).collect();
    populate();
    for other in others {
        other.join().unwrap();
    }
    drop(populate);

    assert_eq!(ledger.made(), 1);
    drop(slot);
    assert_eq!(ledger.dropped(), [0]);
    unbind(&dev);
}

/// Two first accesses: one thread maps, and both get the same complete resource.
fn two_populators() {
    check(Some(3), || populators(2));
}

/// Three first accesses.
fn three_populators() {
    check(Some(1), || populators(3));
}

/// The first thread fails to map: the slot stays empty, and the next thread maps.
fn failed_then_retried() {
    check(Some(2), || {
        let (dev, ledger, slot) = (device(), Ledger::new(), Arc::new(slot()));
        let has_failed = Arc::new(AtomicBool::new(false));

        let populate = {
            let (dev, ledger, slot) = (dev.clone(), ledger.clone(), slot.clone());
            move || {
                let make = || match has_failed.swap(true, SeqCst) {
                    false => Err(EIO),
                    true => ledger.make(0),
                };
                let result = access(&slot, &dev, make);
                if result.is_err_and(|error| error == EIO) {
                    access(&slot, &dev, make).unwrap().read();
                } else {
                    result.unwrap().read();
                }
            }
        };
        let other = thread::spawn(populate.clone());
        populate();
        other.join().unwrap();
        drop(populate);

        assert_eq!(ledger.made(), 1);
        unbind(&dev);
        assert_eq!(ledger.dropped(), [0]);
        drop(slot);
        assert_eq!(ledger.dropped(), [0]);
    });
}

/// A thread that has forgotten the right to populate, in a slot that was revoked since, does not take
/// another thread's populate for its own.
fn forgotten_then_retried() {
    check(None, || {
        let (dev, ledger, mut slot) = (device(), Ledger::new(), slot());
        match slot.entry(&dev).unwrap() {
            Entry::Vacant(vacant) => std::mem::forget(vacant),
            Entry::Populated(_) => unreachable!(),
        }
        slot.as_mut().revoke();
        let slot = Arc::new(slot);

        let other = {
            let (dev, ledger, slot) = (dev.clone(), ledger.clone(), slot.clone());
            thread::spawn(move || access(&slot, &dev, || ledger.make(0)).unwrap().read())
        };
        // Otherwise this thread never looks at the slot while the other one populates it.
        thread::yield_now();
        access(&slot, &dev, || ledger.make(0)).unwrap().read();
        other.join().unwrap();

        assert_eq!(ledger.made(), 1);
        unbind(&dev);
        assert_eq!(ledger.dropped(), [0]);
    });
}

/// A thread that drops the right to populate does not prevent another thread from populating.
fn dropped_then_retried() {
    check(Some(3), || {
        let (dev, ledger, slot) = (device(), Ledger::new(), Arc::new(slot()));

        let other = {
            let (dev, slot) = (dev.clone(), slot.clone());
            thread::spawn(move || match slot.entry(&dev).unwrap() {
                Entry::Vacant(vacant) => drop(vacant),
                Entry::Populated(resource) => resource.read(),
            })
        };
        access(&slot, &dev, || ledger.make(0)).unwrap().read();
        other.join().unwrap();

        unbind(&dev);
        assert_eq!(ledger.dropped(), [0]);
    });
}

/// A first access inside the initialiser of the slot fails. The access outside does not fail, nor
/// does the access of another thread.
fn access_in_its_own_initialiser() {
    check(Some(3), || {
        let (dev, ledger, slot) = (device(), Ledger::new(), Arc::new(slot()));

        let populate = {
            let (dev, ledger, slot) = (dev.clone(), ledger.clone(), slot.clone());
            move || {
                let make = || {
                    let again = access(&slot, &dev, || Err(EIO));
                    assert_eq!(again.err(), Some(EDEADLK));
                    ledger.make(0)
                };
                access(&slot, &dev, make).unwrap().read();
            }
        };
        let other = thread::spawn(populate.clone());
        populate();
        other.join().unwrap();
        drop(populate);

        unbind(&dev);
        assert_eq!(ledger.dropped(), [0]);
    });
}

/// If two threads populate a slot for two devices, the slot is populated for one device.
fn two_devices() {
    check(Some(3), || {
        let (devs, ledger, slot) = ([device(), device()], Ledger::new(), Arc::new(slot()));

        let populate = |name: usize| {
            let (dev, ledger, slot) = (devs[name].clone(), ledger.clone(), slot.clone());
            move || match access(&slot, &dev, || ledger.make(name)) {
                Ok(resource) => {
                    resource.read();
                    true
                }
                Err(error) => {
                    assert!(error == EBUSY || error == EINVAL, "{error:?}");
                    false
                }
            }
        };
        let other = thread::spawn(populate(1));
        let is_first = populate(0)();
        let is_second = other.join().unwrap();
        assert!(is_first != is_second, "populated for both, or for none");

        for dev in &devs {
            unbind(dev);
        }
        assert_eq!(ledger.dropped(), [usize::from(is_second)]);
        assert_eq!(ledger.made(), 1);
    });
}

/// As above, and the first thread fails: the second thread finds a slot that it can populate.
fn two_devices_and_a_failure() {
    check(Some(3), || {
        let (devs, ledger, slot) = ([device(), device()], Ledger::new(), Arc::new(slot()));
        let memory = Arc::new(Memory(UnsafeCell::new(())));

        let other = {
            let (dev, slot, memory) = (devs[1].clone(), slot.clone(), memory.clone());
            thread::spawn(move || {
                let result = access(&slot, &dev, || {
                    memory.write();
                    Err(EIO)
                });
                let error = result.err().unwrap();
                assert!([EIO, EBUSY, EINVAL].contains(&error), "{error:?}");
            })
        };
        let result = access(&slot, &devs[0], || {
            memory.write();
            ledger.make(0)
        });
        match result {
            Ok(resource) => resource.read(),
            Err(error) => assert_eq!(error, EBUSY),
        }
        other.join().unwrap();

        for dev in &devs {
            unbind(dev);
        }
        assert_eq!(ledger.dropped().len(), ledger.made());
    });
}

/// A devres group is released with the registry in it. Before the registry is released, another
/// thread adds a second registry, and finds the slot as the first registry has it.
fn a_second_registry() {
    check(Some(3), || {
        let (dev, ledger, slot) = (device(), Ledger::new(), Arc::new(slot()));

        let other = {
            let (dev, ledger, slot) = (dev.clone(), ledger.clone(), slot.clone());
            thread::spawn(move || match access(&slot, &dev, || ledger.make(0)) {
                Ok(resource) => resource.read(),
                Err(error) => assert!(error == EBUSY || error == ENXIO, "{error:?}"),
            })
        };
        let mut others = Some(other);
        dev.release_group(Registry::release, || {
            match access(&slot, &dev, || ledger.make(1)) {
                Ok(resource) => resource.read(),
                Err(error) => assert_eq!(error, EBUSY),
            }
            others.take().into_iter().for_each(|other| other.join().unwrap());
        });
        others.into_iter().for_each(|other| other.join().unwrap());
        unbind(&dev);
        assert_eq!(ledger.dropped().len(), ledger.made());
    });
}

/// Populates another slot when it is dropped.
struct Populates {
    slot: Arc<Slot>,
    dev: Arc<Device<Bound>>,
    ledger: Arc<Ledger>,
}

impl Drop for Populates {
    fn drop(&mut self) {
        access(&self.slot, &self.dev, || self.ledger.make(1)).unwrap().read();
    }
}

/// A devres group is released with the registry in it. A slot that is populated meanwhile gets a
/// second registry, as the device is still bound.
fn first_access_while_a_group_is_released() {
    check(None, || {
        let (dev, ledger, slots) = (device(), Ledger::new(), [slot(), slot()]);
        let [first, second] = slots.map(Arc::new);
        let populates = Populates {
            slot: second.clone(),
            dev: dev.clone(),
            ledger: ledger.clone(),
        };
        access(&first, &dev, || ledger.make_owning(0, populates)).unwrap();

        dev.release_group(Registry::release, || ());
        assert_eq!(ledger.dropped(), [0]);
        unbind(&dev);
        assert_eq!(ledger.dropped(), [0, 1]);
    });
}

/// A devres group is released, perhaps with the registry that another thread has added and not yet
/// confirmed. The device is still bound, so that thread goes on with a second registry.
fn prepare_against_a_group() {
    check(None, || {
        let dev = device();
        let other = {
            let dev = dev.clone();
            thread::spawn(move || lazy::prepare(&dev).unwrap())
        };

        dev.release_group(Registry::release, || ());
        other.join().unwrap();
        unbind(&dev);
    });
}

/// Two devices whose registries are in one bucket. One device is unbound while the other is used.
/// Runs for each of the two: the device that entered the bucket last, and the first one.
fn two_devices_in_one_bucket() {
    for last in [true, false] {
        check(Some(3), move || {
            let (devs, ledger) = ([device(), device()], Ledger::new());
            let slots = Arc::new([slot(), slot(), slot()]);
            for (name, dev) in devs.iter().enumerate() {
                access(&slots[name], dev, || ledger.make(name)).unwrap();
            }
            let [unbound, used] = if last { [1, 0] } else { [0, 1] };

            let other = {
                let (dev, ledger, slots) = (devs[used].clone(), ledger.clone(), slots.clone());
                thread::spawn(move || access(&slots[2], &dev, || ledger.make(2)).unwrap().read())
            };
            unbind(&devs[unbound]);
            assert_eq!(ledger.dropped(), [unbound]);
            other.join().unwrap();

            unbind(&devs[used]);
            assert_eq!(ledger.dropped(), [unbound, 2, used]);
        });
    }
}

/// An access with a bound device, which unbind waits for, and an access by a callback that unbind
/// calls after it has gone through the slots.
fn access_against_unbind() {
    check(None, || {
        let (dev, ledger, slot) = (device(), Ledger::new(), Arc::new(slot()));
        let gate = Gate::new();

        let other = {
            let (dev, ledger, slot, gate) = (dev.clone(), ledger.clone(), slot.clone(), gate.clone());
            thread::spawn(move || {
                gate.while_open(|| {
                    access(&slot, &dev, || ledger.make(0)).unwrap().read();
                });
            })
        };
        gate.close();
        unbind_then(&dev, || {
            let late = access(&slot, &dev, || ledger.make(1));
            assert_eq!(late.err(), Some(ENXIO));
            assert!(slot.get(&dev).is_none());
        });
        assert_eq!(ledger.dropped().len(), ledger.made());
        other.join().unwrap();
    });
}

fn guards(threads: usize) {
    let (dev, ledger, slot) = (device(), Ledger::new(), Arc::new(slot()));
    access(&slot, &dev, || ledger.make(0)).unwrap();

    let others: Vec<_> = (0..threads)
        .map(|_| {
            let slot = slot.clone();
            thread::spawn(move || {
                if let Some(guard) = slot.try_access() {
                    guard.read();
                }
            })
        })
        .collect();
    unbind(&dev);
    assert_eq!(ledger.dropped(), [0]);
    assert!(slot.try_access().is_none());
    for other in others {
        other.join().unwrap();
    }
}

/// A guard keeps unbind from dropping the resource.
fn guard_against_unbind() {
    check(None, || guards(1));
}

/// So does the guard of a thread that finds the flag set by another thread.
fn two_guards_against_unbind() {
    check(Some(3), || guards(2));
}

/// While the slot is being populated, `try_access()` returns nothing or a complete resource.
fn guard_against_populate() {
    check(None, || {
        let (dev, ledger, slot) = (device(), Ledger::new(), Arc::new(slot()));

        let other = {
            let slot = slot.clone();
            thread::spawn(move || {
                if let Some(guard) = slot.try_access() {
                    guard.read();
                }
            })
        };
        access(&slot, &dev, || ledger.make(0)).unwrap();
        other.join().unwrap();
        unbind(&dev);
    });
}

/// A guard to the first of three resources.
fn guard_of_the_first() {
    check(Some(3), || {
        let (dev, ledger) = (device(), Ledger::new());
        let slots = Arc::new([slot(), slot(), slot()]);
        for (name, slot) in (0..).zip(&*slots) {
            access(slot, &dev, || ledger.make(name)).unwrap();
        }

        let other = {
            let slots = slots.clone();
            thread::spawn(move || {
                if let Some(guard) = slots[0].try_access() {
                    guard.read();
                }
            })
        };
        unbind(&dev);
        assert_eq!(ledger.dropped(), [2, 1, 0]);
        other.join().unwrap();
    });
}

/// A callback on another thread populates while unbind is under way, and a third thread asks for a
/// guard to the same resource.
fn guard_of_a_late_one() {
    check(Some(3), || {
        let (dev, ledger, slots) = (device(), Ledger::new(), Arc::new([slot(), slot()]));
        access(&slots[0], &dev, || ledger.make(0)).unwrap();

        let callback = {
            let (dev, ledger, slots) = (dev.clone(), ledger.clone(), slots.clone());
            thread::spawn(move || {
                let _ = access(&slots[1], &dev, || ledger.make(1));
            })
        };
        let reader = {
            let slots = slots.clone();
            thread::spawn(move || {
                if let Some(guard) = slots[1].try_access() {
                    guard.read();
                }
            })
        };
        unbind_then(&dev, || callback.join().unwrap());
        assert_eq!(ledger.dropped().len(), ledger.made());
        reader.join().unwrap();
    });
}

/// A free and unbind: one side drops the resource, and neither returns before it is gone.
fn free_against_unbind() {
    static BY_FREE: AtomicBool = AtomicBool::new(false);
    static BY_UNBIND: AtomicBool = AtomicBool::new(false);

    check(None, || {
        let (dev, ledger, slot) = (device(), Ledger::new(), slot());
        access(&slot, &dev, || ledger.make(0)).unwrap();

        let other = {
            let ledger = ledger.clone();
            thread::spawn(move || {
                drop(slot);
                assert_eq!(ledger.dropped(), [0], "the free returned too early");
                ledger.dropped_by() == thread::current().id()
            })
        };
        unbind(&dev);
        assert_eq!(ledger.dropped(), [0], "unbind returned too early");

        let by_free = other.join().unwrap();
        if by_free { &BY_FREE } else { &BY_UNBIND }.store(true, SeqCst);
    });
    assert!(BY_FREE.load(SeqCst), "the free never won");
    assert!(BY_UNBIND.load(SeqCst), "unbind never won");
}

/// Memory, which one thread at a time may write.
struct Memory(UnsafeCell<()>);

// SAFETY: The checker reports two threads that write at the same time.
unsafe impl Sync for Memory {}

impl Memory {
    fn write(&self) {
        self.0.with_mut(|_| ());
    }
}

/// Uses memory until it is dropped.
struct InMemory(Arc<Memory>);

impl Drop for InMemory {
    fn drop(&mut self) {
        self.0.write();
    }
}

/// When a free returns, only the owner uses the memory, whichever side has dropped the resource.
fn owner_reuses_the_memory() {
    check(None, || {
        let (dev, ledger, slot) = (device(), Ledger::new(), slot());
        let memory = Arc::new(Memory(UnsafeCell::new(())));
        let used = InMemory(memory.clone());
        access(&slot, &dev, || ledger.make_owning(0, used)).unwrap();

        let other = thread::spawn(move || {
            drop(slot);
            memory.write();
        });
        unbind(&dev);
        other.join().unwrap();
    });
}

/// An owner that revokes while unbind is under way, and populates in the next binding.
fn revoke_against_unbind() {
    check(None, || {
        let (dev, ledger, mut slot) = (device(), Ledger::new(), slot());
        access(&slot, &dev, || ledger.make(0)).unwrap();

        let other = {
            let ledger = ledger.clone();
            thread::spawn(move || {
                slot.as_mut().revoke();
                assert_eq!(ledger.dropped(), [0], "revoking returned too early");
                slot
            })
        };
        unbind(&dev);
        assert_eq!(ledger.dropped(), [0], "unbind returned too early");
        let slot = other.join().unwrap();

        dev.bind();
        access(&slot, &dev, || ledger.make(1)).unwrap().read();
        unbind(&dev);
        assert_eq!(ledger.dropped(), [0, 1]);
    });
}

/// Looks into the slot of the resource that owns this, while the resource is dropped.
struct Dying {
    slot: *const Lazy<Resource>,
    dev: Arc<Device<Bound>>,
}

// SAFETY: Any thread may use a slot and a device.
unsafe impl Send for Dying {}

impl Drop for Dying {
    fn drop(&mut self) {
        // SAFETY: The slot is valid until its resource is dropped.
        let slot = unsafe { &*self.slot };

        assert!(slot.get(&self.dev).is_none(), "a dropped resource is returned");
        assert!(slot.try_access().is_none(), "there is a guard of a dropped resource");
        let again = access(slot, &self.dev, || Err(EIO));
        assert_eq!(again.err(), Some(ENXIO), "populated again meanwhile");
    }
}

/// The drop of a resource finds nothing in its own slot, whichever side drops it.
fn slot_of_a_dying_resource() {
    check(None, || {
        let (dev, ledger, slot) = (device(), Ledger::new(), slot());
        let dying = Dying {
            slot: &raw const *slot,
            dev: dev.clone(),
        };
        access(&slot, &dev, || ledger.make_owning(0, dying)).unwrap();

        let other = thread::spawn(move || drop(slot));
        unbind(&dev);
        other.join().unwrap();
    });
}

fn two_slots(free: fn([Slot; 2])) {
    check(Some(3), move || {
        let (dev, ledger, slots) = (device(), Ledger::new(), [slot(), slot()]);
        for (name, slot) in (0..).zip(&slots) {
            access(slot, &dev, || ledger.make(name)).unwrap();
        }

        let other = thread::spawn(move || free(slots));
        unbind(&dev);
        let mut dropped = ledger.dropped();
        dropped.sort_unstable();
        assert_eq!(dropped, [0, 1]);
        other.join().unwrap();
    });
}

/// Two slots of one device, freed in the reverse order of population, against unbind.
fn two_slots_last_first() {
    two_slots(|[first, last]| {
        drop(last);
        drop(first);
    });
}

/// As above, in the order of population.
fn two_slots_first_first() {
    two_slots(|[first, last]| {
        drop(first);
        drop(last);
    });
}

/// Three slots on the list. Two threads free one slot each, and unbind drops the third resource.
/// The freed slots are neighbours on the list, or have the third slot between them.
fn neighbours_against_each_other() {
    for freed in [[0, 2], [0, 1], [2, 1]] {
        check(None, move || {
            let (dev, ledger, slots) = (device(), Ledger::new(), [slot(), slot(), slot()]);
            for (name, slot) in (0..).zip(&slots) {
                access(slot, &dev, || ledger.make(name)).unwrap();
            }

            let mut slots = slots.map(Some);
            let others = freed.map(|name| {
                let slot = slots[name].take();
                thread::spawn(move || drop(slot))
            });
            for other in others {
                other.join().unwrap();
            }
            unbind(&dev);
            drop(slots);
            let mut dropped = ledger.dropped();
            dropped.sort_unstable();
            assert_eq!(dropped, [0, 1, 2]);
        });
    }
}

/// Unbind drops in the reverse order of population, also if two threads have populated.
fn order() {
    check(None, || {
        let (dev, ledger, slots) = (device(), Ledger::new(), Arc::new([slot(), slot()]));

        let other = {
            let (dev, ledger, slots) = (dev.clone(), ledger.clone(), slots.clone());
            thread::spawn(move || {
                access(&slots[1], &dev, || ledger.make(1)).unwrap();
            })
        };
        access(&slots[0], &dev, || ledger.make(0)).unwrap();
        let is_last = slots[1].get(&dev).is_none();
        other.join().unwrap();

        unbind(&dev);
        let dropped = ledger.dropped();
        assert_eq!(dropped.len(), 2);
        if is_last {
            assert_eq!(dropped, [1, 0]);
        }
    });
}

/// Records when it is dropped, as a page table could.
struct Needed(Arc<loom::sync::atomic::AtomicBool>);

impl Drop for Needed {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// Needs a [`Needed`] while it is dropped, as a queue needs its page table.
struct Needs(Arc<loom::sync::atomic::AtomicBool>);

impl Drop for Needs {
    fn drop(&mut self) {
        assert!(!self.0.load(SeqCst), "unbind has overtaken an owner");
    }
}

/// While an owner drops the newest resource, unbind does not drop an older resource.
fn order_while_an_owner_drops() {
    check(None, || {
        let (dev, ledger, [older, newer]) = (device(), Ledger::new(), [slot(), slot()]);
        let is_gone = Arc::new(loom::sync::atomic::AtomicBool::new(false));
        let (needed, needs) = (Needed(is_gone.clone()), Needs(is_gone));
        access(&older, &dev, || ledger.make_owning(0, needed)).unwrap();
        access(&newer, &dev, || ledger.make_owning(1, needs)).unwrap();

        let other = thread::spawn(move || drop(newer));
        unbind(&dev);
        assert_eq!(ledger.dropped(), [1, 0], "unbind has overtaken an owner");
        other.join().unwrap();
        drop(older);
    });
}

/// As above, for a resource that was populated between two others. The owner may be faster than
/// unbind, but the oldest resource is dropped last.
fn order_beside_an_owner_that_drops() {
    check(Some(3), || {
        let (dev, ledger) = (device(), Ledger::new());
        let [older, middle, newer] = [slot(), slot(), slot()];
        let is_gone = Arc::new(loom::sync::atomic::AtomicBool::new(false));
        let (needed, needs) = (Needed(is_gone.clone()), Needs(is_gone));
        access(&older, &dev, || ledger.make_owning(0, needed)).unwrap();
        access(&middle, &dev, || ledger.make_owning(1, needs)).unwrap();
        access(&newer, &dev, || ledger.make(2)).unwrap();

        let other = thread::spawn(move || drop(middle));
        unbind(&dev);
        let dropped = ledger.dropped();
        assert_eq!(dropped.len(), 3);
        assert_eq!(dropped[2], 0, "unbind has overtaken an owner");
        other.join().unwrap();
        drop((older, newer));
    });
}

/// A callback on another thread populates while unbind is under way, and ends before unbind does.
/// Unbind drops the callback's resource.
fn unbind_during_populate() {
    check(None, || {
        let (dev, ledger, slots) = (device(), Ledger::new(), Arc::new([slot(), slot()]));
        access(&slots[0], &dev, || ledger.make(0)).unwrap();

        let callback = {
            let (dev, ledger, slots) = (dev.clone(), ledger.clone(), slots.clone());
            thread::spawn(move || match access(&slots[1], &dev, || ledger.make(1)) {
                Ok(_) => (),
                Err(error) => assert_eq!(error, ENXIO),
            })
        };
        unbind_then(&dev, || callback.join().unwrap());

        assert_eq!(ledger.dropped().len(), ledger.made());
        assert!(slots.iter().all(|slot| slot.get(&dev).is_none()));
    });
}

/// As above, but no slot was populated before. A second callback may find the registry of the first
/// callback.
fn first_access_during_unbind() {
    check(Some(3), || {
        let (dev, ledger, slots) = (device(), Ledger::new(), Arc::new([slot(), slot()]));

        let callbacks = [0, 1].map(|name| {
            let (dev, ledger, slots) = (dev.clone(), ledger.clone(), slots.clone());
            thread::spawn(move || match access(&slots[name], &dev, || ledger.make(name)) {
                Ok(_) => (),
                Err(error) => assert_eq!(error, ENXIO),
            })
        });
        unbind_then(&dev, || {
            for callback in callbacks {
                callback.join().unwrap();
            }
        });

        assert_eq!(ledger.dropped().len(), ledger.made());
    });
}

/// Two callbacks on other threads populate one slot while unbind is under way. A callback that
/// waits for the other does not wait for ever.
fn waiting_during_unbind() {
    check(Some(3), || {
        let (dev, ledger, slots) = (device(), Ledger::new(), Arc::new([slot(), slot()]));
        access(&slots[0], &dev, || ledger.make(0)).unwrap();

        let callbacks = [(), ()].map(|()| {
            let (dev, ledger, slots) = (dev.clone(), ledger.clone(), slots.clone());
            thread::spawn(move || match access(&slots[1], &dev, || ledger.make(1)) {
                Ok(_) => (),
                Err(error) => assert_eq!(error, ENXIO),
            })
        });
        unbind_then(&dev, || {
            for callback in callbacks {
                callback.join().unwrap();
            }
        });
        assert_eq!(ledger.dropped().len(), ledger.made());
    });
}

/// A callback on another thread, whose registration was added after `prepare()`. A resource that
/// the callback uses stays until the callback has returned.
fn lent_to_a_callback() {
    check(None, || {
        let (dev, ledger, slot) = (device(), Ledger::new(), Arc::new(slot()));
        lazy::prepare(&dev).unwrap();
        dev.register();

        let callback = {
            let (dev, ledger, slot) = (dev.clone(), ledger.clone(), slot.clone());
            thread::spawn(move || match access(&slot, &dev, || ledger.make(0)) {
                Ok(resource) => {
                    resource.read();
                    slot.get(&dev).unwrap().read();
                }
                Err(error) => assert_eq!(error, ENXIO),
            })
        };
        unbind_then(&dev, || callback.join().unwrap());
        assert_eq!(ledger.dropped().len(), ledger.made());
    });
}

/// The same device bound again: a slot that was populated stays revoked, and an empty slot is
/// served.
fn rebind() {
    check(None, || {
        let (dev, ledger, slot) = (device(), Ledger::new(), Arc::new(slot()));
        let (gate, fresh) = (Gate::new(), self::slot());

        let other = {
            let (dev, ledger, slot, gate) = (dev.clone(), ledger.clone(), slot.clone(), gate.clone());
            thread::spawn(move || {
                gate.while_open(|| match access(&slot, &dev, || ledger.make(0)) {
                    Ok(resource) => resource.read(),
                    Err(error) => assert_eq!(error, ENXIO),
                });
            })
        };
        gate.close();
        unbind(&dev);
        let was_populated = ledger.made() == 1;
        dev.bind();
        gate.open();
        gate.while_open(|| {
            let again = access(&slot, &dev, || ledger.make(1));
            if was_populated {
                assert_eq!(again.err(), Some(ENXIO));
            } else {
                again.unwrap().read();
            }
        });
        other.join().unwrap();
        access(&fresh, &dev, || ledger.make(2)).unwrap().read();

        unbind(&dev);
        assert_eq!(ledger.made(), 2);
        assert_eq!(ledger.dropped().len(), 2);
    });
}

/// A resource that owns another owner, whose slot is on the same device. One thread frees the outer
/// owner while another thread unbinds.
fn drop_of_another_owner() {
    check(None, || {
        let (dev, ledger, slots) = (device(), Ledger::new(), [slot(), slot()]);
        let [outer, inner] = slots;
        access(&inner, &dev, || ledger.make(0)).unwrap();
        access(&outer, &dev, || ledger.make_owning(1, inner)).unwrap();

        let other = thread::spawn(move || drop(outer));
        unbind(&dev);
        let mut dropped = ledger.dropped();
        dropped.sort_unstable();
        assert_eq!(dropped, [0, 1]);
        other.join().unwrap();
    });
}

type Evictable = Pin<Box<EvictableLazy<Resource>>>;

fn evictable() -> Evictable {
    static KEY: LockClassKey = LockClassKey;

    let mut slot = Box::new(std::mem::MaybeUninit::<EvictableLazy<Resource>>::uninit());
    let init = EvictableLazy::new(c"slot", Pin::static_ref(&KEY));
    // SAFETY: `slot` is newly allocated memory, which does not move.
    let Ok(()) = unsafe { init.__pinned_init(slot.as_mut_ptr()) };

    // SAFETY: `slot` was initialised above.
    let slot = unsafe { Box::from_raw(Box::into_raw(slot).cast()) };
    Box::into_pin(slot)
}

/// The accessor that `#[devres_lazy]` writes for a field with `evict`.
fn pin<'a>(
    slot: &'a EvictableLazy<Resource>,
    dev: &'a Device<Bound>,
    init: impl FnOnce() -> Result<Resource>,
) -> Result<LazyPin<'a, Resource>> {
    if let Some(resource) = slot.get(dev) {
        return Ok(resource);
    }

    match slot.entry(dev)? {
        PinEntry::Populated(resource) => Ok(resource),
        PinEntry::Vacant(vacant) => vacant.populate(init),
    }
}

/// Evicts, and checks the results that `evict()` may return while other threads use the slot.
fn evict(slot: &EvictableLazy<Resource>) -> bool {
    match slot.evict() {
        Ok(is_evicted) => is_evicted,
        Err(error) => {
            assert_eq!(error, EBUSY);
            false
        }
    }
}

fn pins(threads: usize) {
    let (dev, ledger, slot) = (device(), Ledger::new(), Arc::new(evictable()));
    drop(pin(&slot, &dev, || ledger.make(0)).unwrap());

    let others: Vec<_> = (0..threads)
        .map(|_| {
            let (dev, ledger, slot) = (dev.clone(), ledger.clone(), slot.clone());
            thread::spawn(move || {
                let resource = pin(&slot, &dev, || ledger.make(0)).unwrap();
                resource.read();
            })
        })
        .collect();
    let is_evicted = evict(&slot);
    for other in others {
        other.join().unwrap();
    }
    assert_eq!(ledger.dropped().len(), usize::from(is_evicted));

    unbind(&dev);
    assert_eq!(ledger.dropped().len(), ledger.made());
}

/// A thread pins, reads and unpins, and another thread evicts: a pinned resource stays. A first
/// access during the eviction gets a new resource.
fn pin_against_evict() {
    check(None, || pins(1));
}

/// As above, with two pins: the pin that is dropped last orders the uses of both.
fn two_pins_against_evict() {
    check(Some(2), || pins(2));
}

/// Two threads evict: one succeeds, or neither if each has seen the pin of the other.
fn evict_against_evict() {
    check(None, || {
        let (dev, ledger, slot) = (device(), Ledger::new(), Arc::new(evictable()));
        drop(pin(&slot, &dev, || ledger.make(0)).unwrap());

        let other = {
            let slot = slot.clone();
            thread::spawn(move || evict(&slot))
        };
        let is_first = evict(&slot);
        let is_second = other.join().unwrap();
        assert!(!is_first || !is_second, "evicted by both");
        assert_eq!(ledger.dropped().len(), usize::from(is_first || is_second));
        unbind(&dev);
        assert_eq!(ledger.dropped(), [0]);
    });
}

/// A thread evicts and maps anew while another thread evicts.
fn evict_and_map_against_evict() {
    check(Some(3), || {
        let (dev, ledger, slot) = (device(), Ledger::new(), Arc::new(evictable()));
        drop(pin(&slot, &dev, || ledger.make(0)).unwrap());

        let other = {
            let (dev, ledger, slot) = (dev.clone(), ledger.clone(), slot.clone());
            thread::spawn(move || {
                evict(&slot);
                pin(&slot, &dev, || ledger.make(1)).unwrap();
            })
        };
        evict(&slot);
        other.join().unwrap();
        unbind(&dev);
        assert_eq!(ledger.dropped().len(), ledger.made());
    });
}

/// A first access, and a thread that evicts: the thread that has populated also has the pin.
fn evict_against_populate() {
    check(None, || {
        let (dev, ledger, slot) = (device(), Ledger::new(), Arc::new(evictable()));

        let other = {
            let slot = slot.clone();
            thread::spawn(move || evict(&slot))
        };
        let resource = pin(&slot, &dev, || ledger.make(0)).unwrap();
        resource.read();
        drop(resource);
        let is_evicted = other.join().unwrap();
        assert_eq!(ledger.dropped().len(), usize::from(is_evicted));

        unbind(&dev);
        assert_eq!(ledger.dropped(), [0]);
    });
}

/// A thread evicts the resource of one device, and another thread populates for a second device.
/// The populate fails, or finds a slot that it can populate.
fn evict_for_another_device() {
    check(None, || {
        let (devs, ledger, slot) = ([device(), device()], Ledger::new(), Arc::new(evictable()));
        let memory = Arc::new(Memory(UnsafeCell::new(())));
        let used = InMemory(memory.clone());
        drop(pin(&slot, &devs[0], || ledger.make_owning(0, used)).unwrap());

        let other = {
            let (dev, ledger, slot) = (devs[1].clone(), ledger.clone(), slot.clone());
            thread::spawn(move || {
                let result = pin(&slot, &dev, || {
                    memory.write();
                    ledger.make(1)
                });
                match result {
                    Ok(resource) => resource.read(),
                    Err(error) => assert!(error == EBUSY || error == EINVAL, "{error:?}"),
                }
            })
        };
        evict(&slot);
        other.join().unwrap();

        for dev in &devs {
            unbind(dev);
        }
        assert_eq!(ledger.dropped().len(), ledger.made());
    });
}

/// A thread evicts while unbind is under way. One side drops the resource, and unbind does not
/// return before the resource is gone.
fn evict_against_unbind() {
    check(None, || {
        let (dev, ledger, slot) = (device(), Ledger::new(), Arc::new(evictable()));
        drop(pin(&slot, &dev, || ledger.make(0)).unwrap());

        let other = {
            let (ledger, slot) = (ledger.clone(), slot.clone());
            thread::spawn(move || {
                let is_evicted = evict(&slot);
                if is_evicted {
                    assert_eq!(ledger.dropped(), [0], "evict returned too early");
                }
                is_evicted
            })
        };
        unbind(&dev);
        assert_eq!(ledger.dropped(), [0], "unbind returned too early");

        // A slot that was evicted serves the next binding, and a slot that was revoked does not.
        let is_evicted = other.join().unwrap();
        dev.bind();
        let again = pin(&slot, &dev, || ledger.make(1));
        assert_eq!(again.err(), (!is_evicted).then_some(ENXIO));
        unbind(&dev);
    });
}

/// While a thread evicts the newest resource, unbind does not drop an older resource.
fn order_while_evicting() {
    check(None, || {
        let (dev, ledger, older) = (device(), Ledger::new(), slot());
        let newer = Arc::new(evictable());
        let is_gone = Arc::new(loom::sync::atomic::AtomicBool::new(false));
        let (needed, needs) = (Needed(is_gone.clone()), Needs(is_gone));
        access(&older, &dev, || ledger.make_owning(0, needed)).unwrap();
        drop(pin(&newer, &dev, || ledger.make_owning(1, needs)).unwrap());

        let other = {
            let newer = newer.clone();
            thread::spawn(move || evict(&newer))
        };
        unbind(&dev);
        assert_eq!(ledger.dropped(), [1, 0], "unbind has overtaken a thread that evicts");
        other.join().unwrap();
        drop(older);
    });
}

/// A thread populates and keeps its pin, a second thread tries to evict, and a third thread reads,
/// also after the second thread has restored the state.
fn eviction_that_is_cancelled() {
    check(Some(3), || {
        let (dev, ledger, slot) = (device(), Ledger::new(), Arc::new(evictable()));

        let user = {
            let (dev, ledger, slot) = (dev.clone(), ledger.clone(), slot.clone());
            thread::spawn(move || {
                let resource = pin(&slot, &dev, || ledger.make(0)).unwrap();
                thread::yield_now();
                resource.read();
            })
        };
        let other = {
            let slot = slot.clone();
            thread::spawn(move || evict(&slot))
        };
        if let Some(resource) = slot.get(&dev) {
            resource.read();
        }
        user.join().unwrap();
        let is_evicted = other.join().unwrap();
        assert_eq!(ledger.dropped().len(), usize::from(is_evicted));
        unbind(&dev);
    });
}

/// Looks into the slot of the resource that owns this, while the resource is evicted.
struct Evicted {
    slot: *const EvictableLazy<Resource>,
    dev: Arc<Device<Bound>>,
}

// SAFETY: Any thread may use a slot and a device.
unsafe impl Send for Evicted {}

impl Drop for Evicted {
    fn drop(&mut self) {
        // SAFETY: The slot is valid until its resource is dropped.
        let slot = unsafe { &*self.slot };

        assert!(slot.get(&self.dev).is_none(), "a dropped resource is returned");
        assert_eq!(slot.evict(), Err(EBUSY));
        let again = pin(slot, &self.dev, || Err(EIO)).err();
        assert!(again == Some(EDEADLK) || again == Some(ENXIO), "{again:?}");
    }
}

/// The drop of an evicted resource does not wait for itself, and finds no resource in its own slot.
/// Another thread waits, and then maps anew.
fn slot_of_an_evicted_resource() {
    check(None, || {
        let (dev, ledger, slot) = (device(), Ledger::new(), Arc::new(evictable()));
        let evicted = Evicted {
            slot: &raw const **slot,
            dev: dev.clone(),
        };
        drop(pin(&slot, &dev, || ledger.make_owning(0, evicted)).unwrap());

        let other = {
            let (dev, ledger, slot) = (dev.clone(), ledger.clone(), slot.clone());
            thread::spawn(move || {
                // A reader gets the present resource, or a later one.
                drop(pin(&slot, &dev, || ledger.make(1)).unwrap());
            })
        };
        evict(&slot);
        other.join().unwrap();
        unbind(&dev);
        assert_eq!(ledger.dropped().len(), ledger.made());
    });
}
