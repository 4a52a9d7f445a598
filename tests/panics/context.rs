// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Calls that may sleep, from an RCU read-side critical section: a report, and everything is done
//! all the same, as in a kernel, which goes on after its warning.

use super::{
    owner::{Owner, World, ALL},
    panics,
};
use kernel::{devres::Batched, prelude::*, sync::rcu, testing::TestDevice};
use std::{
    sync::{mpsc, Arc, Mutex},
    thread,
};

fn is_about_sleeping(text: Option<String>) {
    let text = text.expect("no panic");
    assert!(
        text.contains("sleeping function called from invalid context"),
        "{text}"
    );
}

#[test]
fn populating_changes_nothing() {
    let world: Arc<World> = Arc::default();
    let mut dev = TestDevice::new(c"gpu0").unwrap();
    let bound = dev.bind().unwrap();
    let owner = Owner::new(&bound, &world).unwrap();

    is_about_sleeping(panics(|| {
        let _section = rcu::read_lock();
        let _ = owner.populate(&bound);
    }));
    assert_eq!(world.live(), 0);

    owner.populate(&bound).unwrap();
    bound.unbind();
    assert_eq!(world.take_dropped(), ALL);
    drop(owner);
    dev.bind().unwrap().unbind();
}

#[test]
fn freeing_frees() {
    let world: Arc<World> = Arc::default();
    let mut dev = TestDevice::new(c"gpu0").unwrap();
    let bound = dev.bind().unwrap();
    let [older, owner, newer] = [(); 3].map(|()| Owner::new(&bound, &world).unwrap());
    for owner in [&older, &owner, &newer] {
        owner.populate(&bound).unwrap();
    }

    is_about_sleeping(panics(|| {
        let _section = rcu::read_lock();
        drop(owner);
    }));
    assert_eq!(world.take_dropped(), ALL);

    bound.unbind();
    assert_eq!(world.live(), 0);
    drop((older, newer));
    dev.bind().unwrap().unbind();
}

#[test]
fn revoking_revokes() {
    let world: Arc<World> = Arc::default();
    let mut dev = TestDevice::new(c"gpu0").unwrap();
    let bound = dev.bind().unwrap();
    let mut owner = Owner::new(&bound, &world).unwrap();
    owner.populate(&bound).unwrap();

    is_about_sleeping(panics(|| {
        let _section = rcu::read_lock();
        owner.as_mut().revoke_resource();
    }));
    assert_eq!(world.take_dropped(), ["resource", "resource, second part"]);

    owner.populate(&bound).unwrap();
    bound.unbind();
    drop(owner);
    assert_eq!(world.live(), 0);
    dev.bind().unwrap().unbind();
}

/// The device stays bound, and nothing is dropped.
#[test]
fn unbinding_is_refused() {
    let world: Arc<World> = Arc::default();
    let mut dev = TestDevice::new(c"gpu0").unwrap();
    let bound = dev.bind().unwrap();
    let owner = Owner::new(&bound, &world).unwrap();
    owner.populate(&bound).unwrap();

    is_about_sleeping(panics(|| {
        let _section = rcu::read_lock();
        bound.unbind();
    }));
    assert_eq!(world.live(), ALL.len());

    drop(dev);
    assert_eq!(world.take_dropped(), ALL);
    drop(owner);
}

/// A free that has to wait for unbind waits, and reports that it has slept.
#[test]
fn waiting_for_unbind_waits() {
    type Signal = Mutex<Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>>;

    struct Slow(Signal);

    impl Drop for Slow {
        fn drop(&mut self) {
            if let Some((begun, may_end)) = self.0.get_mut().unwrap().take() {
                begun.send(()).unwrap();
                may_end.recv().unwrap();
            }
        }
    }

    let (begun, has_begun) = mpsc::channel();
    let (end, may_end) = mpsc::channel();
    let mut dev = TestDevice::new(c"gpu0").unwrap();
    let bound = dev.bind().unwrap();
    let slow = Slow(Mutex::new(Some((begun, may_end))));
    let owner: Pin<KBox<Batched<Slow>>> =
        KBox::pin_init::<Error>(Batched::new(&bound, slow), GFP_KERNEL).unwrap();

    thread::scope(|scope| {
        scope.spawn(move || bound.unbind());
        has_begun.recv().unwrap();
        let free = scope.spawn(move || {
            panics(|| {
                let _section = rcu::read_lock();
                end.send(()).unwrap();
                drop(owner);
            })
        });
        is_about_sleeping(free.join().unwrap());
    });
    dev.bind().unwrap().unbind();
}
