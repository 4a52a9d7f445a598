// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The expected outcome.

use super::{
    step::{Step, DEVICES, OBJECTS},
    world::{Event, Fault, Injected, Site, World},
    Field, Object,
};
use kernel::{
    bindings,
    device::{Bound, Device},
    prelude::*,
    sync::aref::ARef,
    testing::{fail_nth, TestDevice},
};
use std::{
    collections::BTreeSet,
    mem,
    panic::{catch_unwind, resume_unwind, AssertUnwindSafe},
    sync::Arc,
};

/// The expected state of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Empty,
    /// For the device of its object, which is bound.
    Mapped {
        id: u32,
        kept: Option<u32>,
    },
    Revoked,
}

/// An object, and what it should be.
struct Both<O> {
    real: O,
    device: usize,
    slots: Vec<Slot>,
}

/// A device, and whether it is bound.
struct Machine {
    real: TestDevice,
    is_bound: bool,
}

/// A history so far.
struct History<O> {
    world: Arc<World>,
    machines: [Machine; DEVICES],
    objects: [Option<Both<O>>; OBJECTS],
    /// The slots that are mapped, by object and field, in the order in which they were populated.
    mapped: Vec<(usize, usize)>,
    armed: Option<(Site, Fault)>,
    /// The expected events.
    events: Vec<Event>,
}

/// Goes through a history. A wrong outcome is a panic.
pub(crate) fn run<O: Object>(steps: impl IntoIterator<Item = Step>) -> Result {
    let mut history = History::<O>::new()?;
    for step in steps {
        history.step(step)?;
        history.check();
    }
    history.end();

    Ok(())
}

impl<O: Object> History<O> {
    fn new() -> Result<Self> {
        let machine = |name| -> Result<Machine> {
            Ok(Machine {
                real: TestDevice::new(name)?,
                is_bound: false,
            })
        };
        let mut history = Self {
            world: Arc::default(),
            machines: [machine(c"gpu0")?, machine(c"gpu1")?],
            objects: [const { None }; OBJECTS],
            mapped: Vec::new(),
            armed: None,
            events: Vec::new(),
        };
        for device in 0..DEVICES {
            history.bind(device)?;
        }

        Ok(history)
    }

    fn step(&mut self, step: Step) -> Result {
        match step {
            Step::Create { object, device } => {
                self.free(object);
                let Some(dev) = self.bound(device) else {
                    return Ok(());
                };
                let real = O::new(dev.get(), &self.world)?;
                self.objects[object] = Some(Both {
                    real,
                    device,
                    slots: vec![Slot::Empty; O::FIELDS.len()],
                });
            }
            Step::Access {
                object,
                field,
                device,
            } => self.access(object, field % O::FIELDS.len(), device, None),
            Step::AccessWithoutMemory {
                object,
                field,
                device,
                nth,
            } => self.access(object, field % O::FIELDS.len(), device, Some(nth)),
            Step::Peek {
                object,
                field,
                device,
            } => self.peek(object, field % O::FIELDS.len(), device),
            Step::TryAccess { object, field } => {
                self.try_access(object, field % O::FIELDS.len());
            }
            Step::Revoke { object, field } => self.revoke(object, field % O::FIELDS.len()),
            Step::Free { object } => self.free(object),
            Step::Bind { device } => self.bind(device)?,
            Step::Unbind { device } => self.unbind(device),
            Step::Arm { site, fault } if O::SITES.contains(&site) => {
                self.world.arm(site, fault);
                self.armed = Some((site, fault));
            }
            Step::Arm { .. } => (),
        }

        Ok(())
    }

    /// The accessor, while the allocation with this number fails.
    fn access(&mut self, object: usize, field: usize, device: usize, fails: Option<u64>) {
        let (Some(dev), Some(both)) = (self.bound(device), &self.objects[object]) else {
            return;
        };
        let slot = both.slots[field];
        let is_own = both.device == device;
        let before = self.world.last();

        let fault = fails.filter(|_| slot == Slot::Empty).map(fail_nth);
        let result = catches(|| both.real.access(field, dev.get()));
        let has_failed = fault.as_ref().is_some_and(|fault| fault.tripped());
        drop(fault);

        match slot {
            Slot::Mapped { id, .. } if is_own => return assert_eq!(result, Ok(Ok(id))),
            _ => (),
        }
        if let Some(fault) = self.passes(&[Site::Device]) {
            return assert_eq!(result, fault.outcome());
        }
        if !is_own {
            return assert_eq!(result, Ok(Err(EINVAL)));
        }
        if slot == Slot::Revoked {
            return assert_eq!(result, Ok(Err(ENXIO)));
        }
        if has_failed {
            if !O::ALLOCATES_FIRST && self.world.last() > before {
                self.events.push(Event::Dropped(before + 1));
            }
            return assert_eq!(result, Ok(Err(ENOMEM)));
        }

        let sites: &[Site] = match O::FIELDS[field] {
            Field::Init => &[Site::Init, Site::InitHalfWay],
            Field::Map => &[Site::Keep, Site::Map],
        };
        if let Some(fault) = self.passes(sites) {
            // The content that was made before is dropped again.
            match fault.site {
                Site::InitHalfWay => self.events.push(Event::Dropped(before + 1)),
                Site::Map => self.events.push(Event::DroppedKeep(before + 1)),
                _ => (),
            }
            return assert_eq!(result, fault.outcome());
        }

        let (id, kept) = match O::FIELDS[field] {
            Field::Init => (before + 1, None),
            Field::Map => (before + 2, Some(before + 1)),
        };
        assert_eq!(result, Ok(Ok(id)), "not a new one");
        self.set(object, field, Slot::Mapped { id, kept });
        self.mapped.push((object, field));
    }

    fn peek(&mut self, object: usize, field: usize, device: usize) {
        let (Some(dev), Some(both)) = (self.bound(device), &self.objects[object]) else {
            return;
        };
        let slot = both.slots[field];
        let is_own = both.device == device;
        let result = catches(|| both.real.peek(field, dev.get()));

        match slot {
            Slot::Mapped { id, .. } if is_own => return assert_eq!(result, Ok(Ok(Some(id)))),
            _ => (),
        }
        match self.passes(&[Site::Device]) {
            Some(fault) => assert_eq!(result, fault.outcome()),
            None if is_own => assert_eq!(result, Ok(Ok(None))),
            None => assert_eq!(result, Ok(Err(EINVAL))),
        }
    }

    fn try_access(&mut self, object: usize, field: usize) {
        if let Some(both) = &self.objects[object] {
            let mapped = match both.slots[field] {
                Slot::Mapped { id, .. } => Some(id),
                Slot::Empty | Slot::Revoked => None,
            };
            assert_eq!(catches(|| both.real.try_access(field)), Ok(mapped));
        }
    }

    fn revoke(&mut self, object: usize, field: usize) {
        let Some(both) = &mut self.objects[object] else {
            return;
        };
        let result = catches(|| both.real.revoke(field));

        let panics = self.drops(&[(object, field)]);
        self.set(object, field, Slot::Empty);
        assert_eq!(result, panics);
    }

    fn free(&mut self, object: usize) {
        let Some(both) = &mut self.objects[object] else {
            return;
        };
        // Its slots stay where they are until it is known what they should have done.
        let fields: Vec<_> = (0..both.slots.len())
            .rev()
            .map(|field| (object, field))
            .collect();
        let slots = mem::take(&mut both.slots);
        let both = self.objects[object].take();
        let result = catches(|| drop(both));

        let mut panics = Ok(());
        for &(_, field) in &fields {
            panics = panics.and(self.drops_slot(object, field, slots[field]));
        }
        if O::SITES.contains(&Site::Destructor) {
            self.events.push(Event::Destructor);
            panics = panics.and(match self.passes(&[Site::Destructor]) {
                Some(fault) => fault.outcome::<()>().map(|_| ()),
                None => Ok(()),
            });
        }
        assert_eq!(result, panics);
    }

    fn bind(&mut self, device: usize) -> Result {
        let machine = &mut self.machines[device];
        if !machine.is_bound {
            // It is unbound below.
            mem::forget(machine.real.bind()?);
            machine.is_bound = true;
        }

        Ok(())
    }

    fn unbind(&mut self, device: usize) {
        let machine = &mut self.machines[device];
        if !mem::take(&mut machine.is_bound) {
            return;
        }
        let dev = machine.real.device();
        // SAFETY: The device is valid and bound, and no `Device<Bound>` of it is borrowed.
        let result = catches(|| unsafe { bindings::device_release_driver(dev.as_raw()) });

        // Unbind drops in reverse order of population.
        let mapped: Vec<_> = self.mapped.iter().rev().copied().collect();
        let is_of = |&(object, _): &(usize, usize)| {
            self.objects[object]
                .as_ref()
                .is_some_and(|both| both.device == device)
        };
        let mapped: Vec<_> = mapped.into_iter().filter(is_of).collect();
        let panics = self.drops(&mapped);
        for (object, field) in mapped {
            self.set(object, field, Slot::Revoked);
        }
        assert_eq!(result, panics);
    }

    /// The outcome of dropping the content of slots.
    fn drops(&mut self, slots: &[(usize, usize)]) -> Result<(), Panicked> {
        let mut panics = Ok(());
        for &(object, field) in slots {
            let slot = self.objects[object].as_ref().map(|both| both.slots[field]);
            panics = panics.and(self.drops_slot(object, field, slot.unwrap_or(Slot::Empty)));
        }

        panics
    }

    fn drops_slot(&mut self, object: usize, field: usize, slot: Slot) -> Result<(), Panicked> {
        let Slot::Mapped { id, kept } = slot else {
            return Ok(());
        };
        self.mapped.retain(|&mapped| mapped != (object, field));
        self.events.push(Event::Dropped(id));
        self.events.extend(kept.map(Event::DroppedKeep));

        let sites: &[Site] = match O::FIELDS[field] {
            Field::Init => &[Site::Drop],
            Field::Map => &[Site::Unmap, Site::DropKeep],
        };
        match self.passes(sites) {
            Some(fault) => Err(Panicked(fault.site)),
            None => Ok(()),
        }
    }

    fn set(&mut self, object: usize, field: usize, slot: Slot) {
        if let Some(both) = &mut self.objects[object] {
            both.slots[field] = slot;
        }
    }

    /// The fault that code finds which comes to these sites; there is none then any more.
    fn passes(&mut self, sites: &[Site]) -> Option<Failed> {
        let (site, fault) = self.armed.take_if(|(armed, _)| sites.contains(armed))?;

        Some(Failed { site, fault })
    }

    /// The device, if it is bound.
    fn bound(&self, device: usize) -> Option<BoundDevice> {
        let machine = &self.machines[device];
        // INVARIANT: The device is bound.
        machine.is_bound.then(|| BoundDevice(machine.real.device()))
    }

    /// Properties that hold after each step.
    fn check(&mut self) {
        assert_eq!(self.world.take_events(), self.events);
        self.events.clear();

        let slots = self.objects.iter().flatten().flat_map(|both| &both.slots);
        let live: BTreeSet<_> = slots
            .filter_map(|slot| match slot {
                Slot::Mapped { id, kept } => Some([Some(*id), *kept]),
                Slot::Empty | Slot::Revoked => None,
            })
            .flatten()
            .flatten()
            .collect();
        assert_eq!(self.world.live(), live);
    }

    /// Frees all objects and unbinds all devices, by turns.
    fn end(mut self) {
        for number in 0..OBJECTS.max(DEVICES) {
            if number < OBJECTS {
                self.free(number);
                self.check();
            }
            if number < DEVICES {
                self.unbind(number);
                self.check();
            }
        }
    }
}

/// A device that is bound.
///
/// # Invariants
///
/// The device stays bound while this exists.
struct BoundDevice(ARef<Device>);

impl BoundDevice {
    fn get(&self) -> &Device<Bound> {
        // SAFETY: By the type invariant, the device is bound.
        unsafe { self.0.as_bound() }
    }
}

/// The site that has panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Panicked(Site);

/// The site that has failed, and how.
struct Failed {
    site: Site,
    fault: Fault,
}

impl Failed {
    /// The outcome of an accessor.
    fn outcome<T>(&self) -> Result<Result<T>, Panicked> {
        match self.fault {
            Fault::Error if self.site.is_fallible() => Ok(Err(EIO)),
            _ => Err(Panicked(self.site)),
        }
    }
}

/// Calls a function, which may panic at a site.
fn catches<T>(function: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(function)).map_err(|panic| match panic.downcast::<Injected>() {
        Ok(injected) => Panicked(injected.0),
        Err(panic) => resume_unwind(panic),
    })
}
