// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Panics that unwind, on the host only. The kernel does not unwind.

use super::{
    probe::Probe,
    real::Real,
    reference_copy::{fault, ReferenceCopy},
    scenario::{caught, ensure, holds, Check, Wrong},
    tested::Tested,
};
use kernel::{
    device::{Bound, Device},
    devres::Lazy,
    new_lazy,
    prelude::*,
    testing::TestDevice,
};
use std::{
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Mutex},
    thread,
};

fn device() -> Result<TestDevice> {
    TestDevice::new(c"gpu0")
}

fn stays_usable<S: Tested>() -> Check {
    let probe: Arc<Probe> = Arc::default();
    let mut dev = device()?;
    let bound = dev.bind()?;
    let object = S::new(&bound, &probe)?;
    let dev: &Device<Bound> = &bound;

    probe.next_make(|_| panic!("the initialiser panics"));
    let result = panic::catch_unwind(AssertUnwindSafe(|| object.access(dev)));
    ensure!(result.is_err(), "there was no panic");
    ensure!(probe.live() == 0, "{} resources are left", probe.live());
    ensure!(object.peek(dev) == Ok(None), "something is lent");

    // Neither this thread nor another thread hangs.
    object.access(dev)?;
    thread::scope(|scope| {
        scope
            .spawn(|| object.access(dev))
            .join()
            .unwrap_or(Err(EIO))
    })?;
    Ok(())
}

/// After a panic of the initialiser, the slot stays empty and usable, and no thread hangs.
#[test]
fn init_panics() {
    holds::<Real>(stays_usable::<Real>);
    holds::<ReferenceCopy<fault::None>>(stays_usable::<ReferenceCopy<fault::None>>);
    caught::<ReferenceCopy<fault::StaysFailed>>(stays_usable::<ReferenceCopy<fault::StaysFailed>>);
}

/// The names of the dropped resources.
type Log = Arc<Mutex<Vec<u32>>>;

/// A resource that notes its name when it is dropped, and may be told to panic then.
struct Resource {
    name: u32,
    log: Log,
}

/// The name of resources that panic.
const PANICS: u32 = 99;

impl Drop for Resource {
    fn drop(&mut self) {
        self.log.lock().unwrap().push(self.name);
        assert_ne!(self.name, PANICS, "told to panic");
    }
}

/// Makes slots that are populated with resources of these names.
fn populated<const N: usize>(
    dev: &Device<Bound>,
    names: [u32; N],
    log: &Log,
) -> [Pin<KBox<Lazy<Resource>>>; N] {
    names.map(|name| {
        let log = log.clone();
        let slot: Result<Pin<KBox<Lazy<Resource>>>> = KBox::pin_init(new_lazy!("slot"), GFP_KERNEL);
        let slot = slot.unwrap();
        let resource = slot.get_or_populate(dev, || Ok(Resource { name, log }));
        assert!(resource.is_ok());
        slot
    })
}

/// If dropping a resource panics, the others are still dropped, and no thread hangs.
#[test]
fn drop_panics() -> Result {
    let log = Log::default();
    let dropped = || log.lock().unwrap().split_off(0);
    let mut dev = device()?;

    let bound = dev.bind()?;
    let slots = populated(&bound, [0, PANICS, 2, PANICS], &log);
    assert!(panic::catch_unwind(AssertUnwindSafe(|| bound.unbind())).is_err());
    assert_eq!(dropped(), [PANICS, 2, PANICS, 0]);
    drop(slots);

    // A free, and the unbind after the free, drop the others as well.
    let bound = dev.bind()?;
    let [first, second] = populated(&bound, [0, PANICS], &log);
    assert!(panic::catch_unwind(AssertUnwindSafe(|| drop(second))).is_err());
    bound.unbind();
    assert_eq!(dropped(), [PANICS, 0]);
    drop(first);
    Ok(())
}
