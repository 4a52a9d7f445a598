// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Panics while resources are dropped: all others are dropped in their order, each mapping while
//! its owner is whole, and then the first panic goes on.

use super::{
    owner::{close_sections, Owner, Site, World, ALL},
    panics,
};
use kernel::{
    bindings,
    devres::{Batched, EvictableLazy, LazyOwner, PinEntry},
    new_evictable_lazy,
    prelude::*,
    testing::TestDevice,
};
use std::{ptr, sync::Arc};

/// The side that drops the resources.
#[derive(Clone, Copy, Debug)]
enum End {
    Free,
    Revoke,
    Unbind,
    /// The owner is freed while the thread panics already.
    Unwind,
    /// Someone has torn the owner down before it is freed.
    TearDownAndFree,
}

const ENDS: [End; 5] = [
    End::Free,
    End::Revoke,
    End::Unbind,
    End::Unwind,
    End::TearDownAndFree,
];

/// Returns the message of a panic at `site`.
fn text(site: Site, text: &str) -> bool {
    match site {
        Site::Warning => text == "WARNING: Resource: Warning",
        Site::DropLeavesSection => text.contains("invalid context: devres::Lazy()"),
        _ => text == format!("{site:?}"),
    }
}

fn panics_at(site: Site, end: End) {
    let world: Arc<World> = Arc::default();
    let mut dev = TestDevice::new(c"gpu0").unwrap();
    let bound = dev.bind().unwrap();
    let [older, mut owner, newer] = [(); 3].map(|()| Owner::new(&bound, &world).unwrap());
    for owner in [&older, &owner, &newer] {
        owner.populate(&bound).unwrap();
    }

    world.arm(site);
    match end {
        End::Free => {
            let found = panics(|| drop(owner)).expect("no panic");
            close_sections();
            assert!(text(site, &found), "{site:?}, {end:?}: {found}");
            assert_eq!(world.take_dropped(), ALL, "{site:?}, {end:?}");
            bound.unbind();
        }
        End::Revoke => {
            let found = panics(|| owner.as_mut().revoke()).expect("no panic");
            close_sections();
            assert!(text(site, &found), "{site:?}, {end:?}: {found}");
            // The slot that has panicked is empty and usable, the others are as they were.
            owner.populate(&bound).unwrap();
            drop(owner);
            bound.unbind();
        }
        End::Unbind => {
            let found = panics(|| bound.unbind()).expect("no panic");
            close_sections();
            assert!(text(site, &found), "{site:?}, {end:?}: {found}");
            let all: Vec<_> = ALL.into_iter().cycle().take(3 * ALL.len()).collect();
            assert_eq!(world.take_dropped(), all, "{site:?}, {end:?}");
            drop(owner);
        }
        End::Unwind => {
            let found = panics(|| {
                let _owner = owner;
                panic!("first");
            });
            close_sections();
            assert_eq!(found.as_deref(), Some("first"), "{site:?}, {end:?}");
            assert_eq!(world.take_dropped(), ALL, "{site:?}, {end:?}");
            bound.unbind();
        }
        End::TearDownAndFree => {
            let torn_down = panics(|| owner.as_mut().teardown());
            close_sections();
            assert_eq!(torn_down, None, "{site:?}, {end:?}");
            assert_eq!(world.take_dropped(), ALL, "{site:?}, {end:?}");
            let found = panics(|| drop(owner)).expect("no panic");
            assert!(text(site, &found), "{site:?}, {end:?}: {found}");
            bound.unbind();
        }
    }
    assert!(!world.is_armed(), "{site:?} was not reached");

    drop((older, newer));
    assert_eq!(world.live(), 0, "{site:?}, {end:?}");
    dev.bind().unwrap().unbind();
}

#[test]
fn the_authors_code_panics() {
    for site in [Site::Unmap, Site::DropKeep, Site::Drop] {
        for end in ENDS {
            panics_at(site, end);
        }
    }
}

#[test]
fn the_model_reports() {
    for site in [Site::Warning, Site::DropLeavesSection] {
        for end in ENDS {
            panics_at(site, end);
        }
    }
}

/// A devres resource whose release panics is freed all the same: the leak checker looks for it.
#[test]
fn a_devres_release_panics() {
    unsafe extern "C-unwind" fn release(_dev: *mut bindings::device, _res: *mut c_void) {
        panic!("release");
    }

    let mut dev = TestDevice::new(c"gpu0").unwrap();
    let bound = dev.bind().unwrap();
    let raw = bound.as_raw();

    // SAFETY: The release function needs nothing.
    let res = unsafe {
        bindings::__devres_alloc_node(
            Some(release),
            64,
            0,
            bindings::NUMA_NO_NODE,
            c"panics::release".as_ptr(),
        )
    };
    // SAFETY: The device is bound, and the resource was just allocated.
    unsafe { bindings::devres_add(raw, res) };
    let found = panics(|| {
        // SAFETY: The device is bound.
        unsafe { bindings::devres_release(raw, Some(release), None, ptr::null_mut()) };
    });

    assert_eq!(found.as_deref(), Some("release"));
    bound.unbind();
    dev.bind().unwrap().unbind();
}

/// Several resources panic: the first panic goes on.
#[test]
fn the_first_panic_goes_on() {
    struct Bad(&'static str);

    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("{}", self.0);
        }
    }

    let mut dev = TestDevice::new(c"gpu0").unwrap();
    let bound = dev.bind().unwrap();
    let owners: [Pin<KBox<Batched<Bad>>>; 3] = ["oldest", "middle", "newest"]
        .map(|name| KBox::pin_init::<Error>(Batched::new(&bound, Bad(name)), GFP_KERNEL).unwrap());
    let [oldest, middle, newest] = owners;

    assert_eq!(panics(|| drop(middle)).as_deref(), Some("middle"));
    assert_eq!(panics(|| bound.unbind()).as_deref(), Some("newest"));
    drop((oldest, newest));
    dev.bind().unwrap().unbind();
}

/// The drop of a resource panics while it is evicted: the slot is empty, and can be populated
/// again.
#[test]
fn an_evicted_resource_panics() {
    struct Bad(bool);

    impl Drop for Bad {
        fn drop(&mut self) {
            assert!(!self.0, "evicted");
        }
    }

    let mut dev = TestDevice::new(c"gpu0").unwrap();
    let bound = dev.bind().unwrap();
    let slot: Pin<KBox<EvictableLazy<Bad>>> =
        KBox::pin_init(new_evictable_lazy!(), GFP_KERNEL).unwrap();
    let populate = |bad| match slot.entry(&bound).unwrap() {
        PinEntry::Vacant(vacant) => drop(vacant.populate(|| Ok(Bad(bad))).unwrap()),
        PinEntry::Populated(_) => panic!("the slot is not empty"),
    };

    populate(true);
    let found = panics(|| {
        let _ = slot.evict();
    });
    assert_eq!(found.as_deref(), Some("evicted"));
    assert_eq!(slot.evict(), Ok(false));
    populate(false);
    assert_eq!(slot.evict(), Ok(true));

    bound.unbind();
    dev.bind().unwrap().unbind();
}
