// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Panics while a slot is being populated: it stays empty and usable, and so do its neighbours.

use super::{
    owner::{close_sections, Owner, Resource, Site, World, ALL},
    panics,
};
use kernel::{
    device::{Bound, Device},
    devres::{Batched, Lazy},
    new_lazy,
    prelude::*,
    testing::TestDevice,
};
use std::{
    sync::{
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc, Arc,
    },
    thread,
};

/// The events after the panic.
#[derive(Clone, Copy, Debug)]
enum End {
    UnbindFirst,
    FreeFirst,
    RetryAndUnbind,
    RetryAndFree,
}

const ENDS: [End; 4] = [
    End::UnbindFirst,
    End::FreeFirst,
    End::RetryAndUnbind,
    End::RetryAndFree,
];

/// Panics at `site` during the first access of one owner, between two others on the device.
fn panics_at(site: Site, end: End) {
    let world: Arc<World> = Arc::default();
    let mut dev = TestDevice::new(c"gpu0").unwrap();
    let bound = dev.bind().unwrap();
    let [older, mut owner, newer] = [(); 3].map(|()| Owner::new(&bound, &world).unwrap());
    older.populate(&bound).unwrap();
    // Leaves links of an earlier population in the nodes of the owner's slots.
    owner.populate(&bound).unwrap();
    newer.populate(&bound).unwrap();
    owner.as_mut().revoke();
    assert_eq!(world.take_dropped(), ALL);

    world.arm(site);
    let panicked = panics(|| owner.populate(&bound).unwrap());
    close_sections();
    assert!(panicked.is_some(), "{site:?}: there was no panic");
    assert!(!world.is_armed(), "{site:?} was not reached");
    world.take_dropped();

    match end {
        End::UnbindFirst => {
            drop(older);
            bound.unbind();
            assert_eq!(world.live(), 0, "{site:?}, {end:?}: left by unbind");
            assert!(owner.try_resource().is_none());
            drop((owner, newer));
        }
        End::FreeFirst => {
            drop((newer, owner));
            bound.unbind();
            drop(older);
        }
        End::RetryAndUnbind => {
            owner.populate(&bound).unwrap();
            drop((older, newer));
            bound.unbind();
            assert_eq!(world.live(), 0, "{site:?}, {end:?}: left by unbind");
            drop(owner);
        }
        End::RetryAndFree => {
            owner.populate(&bound).unwrap();
            world.take_dropped();
            drop(owner);
            assert_eq!(world.take_dropped(), ALL, "{site:?}, {end:?}");
            drop((older, newer));
            bound.unbind();
        }
    }
    assert_eq!(world.live(), 0, "{site:?}, {end:?}");
    dev.bind().unwrap().unbind();
}

#[test]
fn the_authors_code_panics() {
    for site in [Site::Keep, Site::Map, Site::Init, Site::InitHalfWay] {
        for end in ENDS {
            panics_at(site, end);
        }
    }
}

/// The slot is linked all the same, as in a kernel, which would go on after the warning.
#[test]
fn linking_reports() {
    for end in ENDS {
        panics_at(Site::InitLeavesSection, end);
    }
}

/// A [`Batched`] whose initialiser panics, or is linked with a report, leaves nothing behind.
#[test]
fn batched_panics() {
    for site in [Site::InitHalfWay, Site::InitLeavesSection] {
        let world: Arc<World> = Arc::default();
        let mut dev = TestDevice::new(c"gpu0").unwrap();
        let bound = dev.bind().unwrap();
        let new =
            || KBox::pin_init::<Error>(Batched::new(&bound, Resource::new(&world)), GFP_KERNEL);
        let older = new().unwrap();

        world.arm(site);
        let panicked = panics(|| drop(new().unwrap()));
        close_sections();
        assert!(panicked.is_some(), "{site:?}: there was no panic");
        assert_eq!(world.live(), 2, "{site:?}");
        let newer = new().unwrap();

        drop(older);
        bound.unbind();
        assert_eq!(world.live(), 0, "{site:?}: left by unbind");
        drop(newer);
        // A reference of the device that was not put keeps it, and is found by the leak checker.
        dev.bind().unwrap().unbind();
    }
}

/// Drops a resource that unbind was too early for, and that panics when it is dropped.
#[test]
fn a_refused_resource_panics() {
    struct Refused(Arc<AtomicUsize>);

    impl Drop for Refused {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
            panic!("refused");
        }
    }

    let dropped: Arc<AtomicUsize> = Arc::default();
    let mut dev = TestDevice::new(c"gpu0").unwrap();
    let bound = dev.bind().unwrap();
    let slot: Arc<Pin<KBox<Lazy<Refused>>>> =
        Arc::new(KBox::pin_init(new_lazy!("slot"), GFP_KERNEL).unwrap());
    let first: Pin<KBox<Lazy<u32>>> = KBox::pin_init(new_lazy!("first"), GFP_KERNEL).unwrap();
    first.get_or_populate(&bound, || Ok(1)).unwrap();

    let (begun, has_begun) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let populate = {
        let (slot, dropped, dev) = (slot.clone(), dropped.clone(), bound.device());
        thread::spawn(move || {
            // SAFETY: The device is not freed, and this thread acts as a callback that unbind does
            // not wait for.
            let dev: &Device<Bound> = unsafe { dev.as_bound() };
            let text = panics(|| {
                let _ = slot.get_or_populate(dev, || {
                    begun.send(()).unwrap();
                    may_go_on.recv().unwrap();
                    Ok(Refused(dropped))
                });
            });
            assert_eq!(text.as_deref(), Some("refused"));
        })
    };
    has_begun.recv().unwrap();
    bound.unbind();
    go_on.send(()).unwrap();
    populate.join().unwrap();
    assert_eq!(dropped.load(SeqCst), 1);

    // The slot is empty, and the next binding serves it.
    let bound = dev.bind().unwrap();
    slot.get_or_populate(&bound, || Ok(Refused(dropped.clone())))
        .unwrap();
    assert_eq!(
        panics(|| bound.unbind()).as_deref(),
        Some("refused"),
        "unbind drops it"
    );
    drop(slot);
    assert_eq!(dropped.load(SeqCst), 2);
}
