// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The stress test, compiled once for each variant of the protocol.

use super::lazy::Lazy;
use crate::world::{count, Counts, End, Gate, Ledger, Random, Resource, DEVICES};
use kernel::{
    device::{Bound, Device},
    prelude::*,
    static_lock_class,
    sync::Arc,
    testing::TestDevice,
};
use std::{
    array, mem,
    sync::{self, Mutex, PoisonError},
    thread,
    time::Duration,
};

/// The number of owners of each kind on a device, at any time.
const OWNERS: usize = 4;

/// The number of times that a thread uses the owners that it has references to. Meanwhile it takes
/// no lock that would order it with other threads.
const ROUNDS: usize = 16;

/// The time for which a thread lets other threads go on.
const PAUSE: Duration = Duration::from_micros(50);

/// An owner. It belongs to the device with the number `device`.
#[pin_data]
struct Owner {
    device: usize,
    /// Whether the resource may own another owner, for which this is false. So there are no cycles.
    may_own: bool,
    #[pin]
    lazy: Lazy<Resource<Arc<Owner>>>,
}

impl Owner {
    fn init(device: usize, may_own: bool) -> impl PinInit<Self> {
        pin_init!(Self {
            device,
            may_own,
            lazy <- Lazy::new(c"Owner::lazy", static_lock_class!()),
        })
    }

    fn new(device: usize, may_own: bool) -> Arc<Self> {
        Arc::pin_init(Self::init(device, may_own), GFP_KERNEL).unwrap()
    }
}

/// A place where the threads find an owner. The threads replace the owner now and then.
struct Place(Mutex<Arc<Owner>>);

impl Place {
    fn get(&self) -> Arc<Owner> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Puts a new owner there, and returns the previous owner.
    fn replace(&self) -> Arc<Owner> {
        let mut owner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = Owner::new(owner.device, owner.may_own);

        mem::replace(&mut owner, new)
    }
}

/// The objects on a device.
struct Side {
    gate: Gate,
    /// The owners in the first half may own other owners.
    places: [Place; 2 * OWNERS],
}

/// The data that the threads share.
struct World {
    sides: [Side; DEVICES],
    ledger: sync::Arc<Ledger>,
    counts: Counts,
    end: End,
}

impl World {
    fn new(devices: &[TestDevice; DEVICES]) -> Self {
        Self {
            sides: array::from_fn(|device| Side {
                gate: Gate::new(devices[device].device()),
                places: array::from_fn(|place| {
                    Place(Mutex::new(Owner::new(device, place < OWNERS)))
                }),
            }),
            ledger: sync::Arc::default(),
            counts: Counts::default(),
            end: End::default(),
        }
    }

    /// Makes the resource of an owner.
    fn make(&self, owner: &Owner, random: &mut Random) -> Resource<Arc<Owner>> {
        let owned = (owner.may_own && random.below(2) == 0).then(|| {
            // The owned owner belongs to either device.
            let side = &self.sides[random.below(DEVICES)];
            side.places[OWNERS + random.below(OWNERS)].replace()
        });

        count(&self.counts.maps);
        Resource::new(&self.ledger, owner.device, owned)
    }

    /// Accesses as a generated accessor does, and reads the resource. Returns whether there was a
    /// resource.
    fn access(&self, owner: &Owner, dev: &Device<Bound>, random: &mut Random) -> bool {
        let resource = owner.lazy.get(dev).map_or_else(
            || {
                let lazy = &owner.lazy;
                lazy.get_or_populate(dev, || Ok(self.make(owner, random)))
            },
            Ok,
        );

        match resource {
            Ok(resource) => {
                resource.read();
                count(&self.counts.accesses);
                true
            }
            Err(error) => {
                assert_eq!(error, ENXIO, "an access failed");
                count(&self.counts.refused);
                false
            }
        }
    }

    /// Binds a device and unbinds it. Checks that no resource is left on the device.
    fn bind(&self, device: usize, test_device: &mut TestDevice, random: &mut Random) {
        let gate = &self.sides[device].gate;
        let bound = test_device.bind().unwrap();

        gate.set_open(true);
        thread::sleep(PAUSE * random.below(20) as u32);
        gate.set_open(false);

        bound.unbind();
        assert_eq!(self.ledger.live(device), 0, "left on the device");
        count(&self.counts.bindings);
    }

    /// Returns references to some owners on a device.
    fn some(&self, device: usize, random: &mut Random) -> [(&Place, Arc<Owner>); 3] {
        array::from_fn(|_| {
            let place = &self.sides[device].places[random.below(2 * OWNERS)];
            (place, place.get())
        })
    }

    /// Maps and reads, if the device is bound.
    fn map(&self, random: &mut Random) {
        let device = random.below(DEVICES);
        let owners = self.some(device, random);
        let mut revoked = [false; 3];

        let entered = self.sides[device].gate.enter(|dev| {
            for _ in 0..ROUNDS {
                for ((_, owner), revoked) in owners.iter().zip(&mut revoked) {
                    *revoked = !self.access(owner, dev, random);
                }
            }
        });
        if entered.is_none() {
            thread::sleep(PAUSE);
        }

        // A revoked owner serves no access any more.
        for ((place, _), _) in owners.iter().zip(revoked).filter(|(_, revoked)| *revoked) {
            drop(place.replace());
            count(&self.counts.frees);
        }
    }

    /// Reads mapped resources, whether or not the device is bound.
    fn look(&self, random: &mut Random) {
        let owners = self.some(random.below(DEVICES), random);
        let mut found = false;

        for _ in 0..ROUNDS {
            for (_, owner) in &owners {
                match owner.lazy.try_access() {
                    Some(resource) => {
                        resource.read();
                        if random.below(8) == 0 {
                            thread::yield_now();
                        }
                        resource.read();
                        count(&self.counts.tries);
                        found = true;
                    }
                    None => count(&self.counts.tries_in_vain),
                }
            }
        }
        if !found {
            thread::sleep(PAUSE);
        }
    }

    /// Frees an owner, whether or not the device is bound.
    fn free(&self, random: &mut Random) {
        let side = &self.sides[random.below(DEVICES)];
        drop(side.places[random.below(2 * OWNERS)].replace());
        count(&self.counts.frees);

        thread::sleep(PAUSE);
    }

    /// Makes an owner that no other thread uses: maps, revokes, maps again and frees it.
    fn revoke(&self, random: &mut Random) {
        let device = random.below(DEVICES);
        let gate = &self.sides[device].gate;
        let mut owner = KBox::pin_init(Owner::init(device, true), GFP_KERNEL).unwrap();

        for _ in 0..2 {
            gate.enter(|dev| self.access(&owner, dev, random));
            owner.as_mut().project().lazy.revoke();
            count(&self.counts.revocations);
        }
        gate.enter(|dev| self.access(&owner, dev, random));
        drop(owner);
        count(&self.counts.frees);
        thread::sleep(PAUSE);
    }
}

/// Runs the threads until the end, and checks that every resource was dropped.
pub(crate) fn run() {
    let mut devices = array::from_fn(|device| TestDevice::new([c"gpu0", c"gpu1"][device]).unwrap());
    let world = World::new(&devices);
    let steps: [fn(&World, &mut Random); 8] = [
        World::map,
        World::map,
        World::map,
        World::look,
        World::look,
        World::free,
        World::revoke,
        World::revoke,
    ];

    thread::scope(|scope| {
        let world = &world;
        for (number, step) in steps.into_iter().enumerate() {
            scope.spawn(move || {
                let _end = world.end.if_this_fails();
                let mut random = Random::new(number as u64);
                while !world.end.is_here() {
                    step(world, &mut random);
                }
            });
        }
        for (number, device) in devices.iter_mut().enumerate() {
            scope.spawn(move || {
                let _end = world.end.if_this_fails();
                let mut random = Random::new(100 + number as u64);
                while !world.end.is_here() {
                    world.bind(number, device, &mut random);
                }
            });
        }
        world.end.wait(&world.counts);
    });

    let World { ledger, counts, .. } = world;
    counts.report();
    assert_eq!(ledger.made(), ledger.dropped(), "made, and dropped");
}
