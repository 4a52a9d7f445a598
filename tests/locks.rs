// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The order of locks in a driver. Where lockdep reports in a kernel, the host panics and names the
//! classes and the places. A report needs neither a second thread nor a deadlock.

use kernel::{
    bindings::{self, dma_resv},
    device::{Bound, Device},
    devres::Lazy,
    devres_lazy, new_lazy, new_mutex,
    prelude::*,
    sync::{aref::ARef, Arc, Mutex},
    testing::TestDevice,
};
use std::{
    panic::{self, catch_unwind, AssertUnwindSafe},
    ptr,
    sync::mpsc,
    thread,
    time::Duration,
};

/// Returns the message that `f` panics with.
fn report(f: impl FnOnce()) -> String {
    let report = catch_unwind(AssertUnwindSafe(f)).expect_err("no panic");
    report.downcast_ref::<String>().cloned().expect("no text")
}

#[track_caller]
fn assert_contains(report: &str, parts: &[&str]) {
    for part in parts {
        assert!(report.contains(part), "no {part:?} in: {report}");
    }
}

/// A line of this file, as reports name it.
fn line(number: u32) -> String {
    format!("{}:{number}:", file!())
}

/// Makes a mutex, with a class that belongs to this expansion.
macro_rules! new_lock {
    ($name:literal) => {
        KBox::<Mutex<()>>::pin_init(new_mutex!((), $name), GFP_KERNEL)
    };
}

/// Calls `f` on another thread, and waits for the thread, so that nothing races.
fn on_another_thread(f: impl FnOnce() + Send) {
    thread::scope(|scope| scope.spawn(f).join()).unwrap();
}

/// A node of a tree, whose depth is computed from the depth of the parent.
#[devres_lazy]
#[pin_data]
struct Context {
    dev: ARef<Device>,
    parent: Option<Arc<Context>>,

    #[lazy(
        fn depth -> u32,
        device = &self.dev,
        init = match &self.parent {
            Some(parent) => *parent.depth(dev)? + 1,
            None => 0,
        },
    )]
    depth: u32,
}

impl Context {
    fn new(dev: &Device, parent: Option<Arc<Self>>) -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                dev: dev.into(),
                parent,
                depth <- new_lazy!("Context::depth"),
            }),
            GFP_KERNEL,
        )
    }
}

#[test]
fn nested_slots_of_one_class() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    let root = Context::new(&bound, None)?;
    let child = Context::new(&bound, Some(root.clone()))?;

    let report = report(|| {
        child.depth(&bound).ok();
    });
    assert_contains(
        &report,
        &["possible recursive locking detected", "`Context::depth`"],
    );
    assert_eq!(report.matches(file!()).count(), 2, "{report}");

    // The report has left both slots empty and usable in the right order.
    assert_eq!(root.depth(&bound), Ok(&0));
    assert_eq!(child.depth(&bound), Ok(&1));
    Ok(())
}

type Slot = Pin<KBox<Lazy<u32>>>;

/// Makes slots by hand, all of one class, which belongs to this expansion.
macro_rules! slots {
    ($name:literal) => {
        || -> Slot { KBox::pin_init(new_lazy!($name), GFP_KERNEL).unwrap() }
    };
}

/// Populates an empty slot by an initialiser that calls `f`.
#[track_caller]
fn populate(slot: &Slot, dev: &Device<Bound>, f: impl FnOnce()) {
    let populated = slot.get_or_populate(dev, || {
        f();
        Ok(7)
    });
    assert_eq!(populated, Ok(&7));
}

#[test]
fn slots_of_two_classes_in_both_orders() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    let (vm, queue) = (slots!("Vm::root"), slots!("Queue::ring"));

    let (queue_place, vm_place) = (line(line!() + 1), line(line!() + 2));
    populate(&queue(), &bound, || {
        populate(&vm(), &bound, || ());
    });

    // Two other slots of the same classes, on another thread.
    on_another_thread(|| {
        let (vm, queue) = (vm(), queue());
        let first = line(line!() + 2);
        let report = report(|| {
            populate(&vm, &bound, || {
                populate(&queue, &bound, || ());
            });
        });
        assert_contains(
            &report,
            &[
                "possible circular locking dependency detected",
                "takes `Queue::ring`",
                &format!("holds `Vm::root` at {first}"),
                &format!("`Queue::ring` at {queue_place}"),
                &format!("`Vm::root` at {vm_place}"),
            ],
        );

        // The panic has left the slot of the initialiser empty and unlocked.
        populate(&queue, &bound, || populate(&vm, &bound, || ()));
    });
    Ok(())
}

#[test]
fn slots_of_three_classes_in_a_cycle() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    let (vm, queue, job) = (slots!("Vm"), slots!("Queue"), slots!("Job"));

    populate(&job(), &bound, || populate(&queue(), &bound, || ()));
    on_another_thread(|| populate(&queue(), &bound, || populate(&vm(), &bound, || ())));
    populate(&job(), &bound, || populate(&vm(), &bound, || ()));

    let job = job();
    let vm = vm();
    let report = report(|| populate(&vm, &bound, || populate(&job, &bound, || ())));
    // Of two known orders, the report names the shorter one, from `Job` to `Vm`.
    assert_contains(
        &report,
        &["takes `Job`", "holds `Vm`", "`Job` at ", "`Vm` at "],
    );
    assert!(!report.contains("`Queue`"), "{report}");
    Ok(())
}

#[test]
fn a_cycle_over_a_class_that_is_not_held() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    let (vm, queue, job) = (slots!("Vm"), slots!("Queue"), slots!("Job"));

    populate(&job(), &bound, || populate(&queue(), &bound, || ()));
    on_another_thread(|| populate(&queue(), &bound, || populate(&vm(), &bound, || ())));

    let (vm, job) = (vm(), job());
    let report = report(|| populate(&vm, &bound, || populate(&job, &bound, || ())));
    assert_contains(
        &report,
        &[
            "takes `Job`",
            "holds `Vm`",
            "`Queue` at ",
            "`Job` at ",
            "`Vm` at ",
        ],
    );
    Ok(())
}

#[test]
fn a_slot_and_a_mutex() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    let pages = slots!("Buffer::pages");
    let jobs = KBox::pin_init(new_mutex!((), "Queue::jobs"), GFP_KERNEL)?;

    // A first access under the mutex.
    {
        let _jobs = jobs.lock();
        populate(&pages(), &bound, || ());
    }

    // The mutex in an initialiser.
    let slot = pages();
    let text = report(|| populate(&slot, &bound, || drop(jobs.lock())));
    assert_contains(&text, &["takes `Queue::jobs`", "holds `Buffer::pages`"]);
    populate(&slot, &bound, || ());

    // A populated slot takes no lock.
    let _jobs = jobs.lock();
    assert_eq!(slot.get(&bound), Some(&7));
    Ok(())
}

#[test]
fn the_other_way_round() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    let pages = slots!("Buffer::pages");
    let jobs = KBox::pin_init(new_mutex!((), "Queue::jobs"), GFP_KERNEL)?;

    populate(&pages(), &bound, || drop(jobs.lock()));
    let slot = pages();
    let report = report(|| {
        let _jobs = jobs.lock();
        populate(&slot, &bound, || ());
    });
    assert_contains(&report, &["takes `Buffer::pages`", "holds `Queue::jobs`"]);
    assert!(jobs.try_lock().is_some());
    Ok(())
}

/// Calls `f` with the reservation lock of a buffer held.
#[track_caller]
fn with_reservation<R>(resv: &dma_resv, f: impl FnOnce() -> R) -> R {
    struct Guard<'a>(&'a dma_resv);

    impl Drop for Guard<'_> {
        fn drop(&mut self) {
            // SAFETY: The object is borrowed, and locked by this thread.
            unsafe { bindings::dma_resv_unlock(ptr::from_ref(self.0).cast_mut()) };
        }
    }

    // SAFETY: The object is borrowed.
    let ret = unsafe { bindings::dma_resv_lock(ptr::from_ref(resv).cast_mut(), ptr::null_mut()) };
    assert_eq!(ret, 0);
    let _guard = Guard(resv);
    f()
}

// One test, since all reservation locks of the process are one class.
#[test]
fn reservation_locks() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    let (one, two) = (dma_resv::new(), dma_resv::new());
    let table = slots!("Object::table");
    let inside = KBox::pin_init(new_mutex!((), "inside"), GFP_KERNEL)?;
    let outside = KBox::pin_init(new_mutex!((), "outside"), GFP_KERNEL)?;

    // Without an acquire context, reservation locks do not nest.
    let place = line(line!() + 2);
    let text = report(|| {
        with_reservation(&one, || with_reservation(&two, || ()));
    });
    assert_contains(
        &text,
        &[
            "possible recursive locking detected",
            "takes `reservation_ww_class_mutex`",
            &format!("`reservation_ww_class_mutex` at {place}"),
        ],
    );
    with_reservation(&one, || ());
    with_reservation(&two, || ());

    // With a mutex, the reverse of a known order is reported, whichever lock comes first.
    with_reservation(&one, || drop(inside.lock()));
    let text = report(|| {
        let _inside = inside.lock();
        with_reservation(&two, || ());
    });
    assert_contains(
        &text,
        &["takes `reservation_ww_class_mutex`", "holds `inside`"],
    );
    {
        let _outside = outside.lock();
        with_reservation(&one, || ());
    }
    let text = report(|| with_reservation(&two, || drop(outside.lock())));
    assert_contains(
        &text,
        &["takes `outside`", "holds `reservation_ww_class_mutex`"],
    );

    // A first access takes the slot's lock, then the reservation lock. The reverse order is
    // reported before it deadlocks, for the locks of any two objects.
    populate(&table(), &bound, || with_reservation(&one, || ()));
    let slot = table();
    let text = report(|| with_reservation(&two, || populate(&slot, &bound, || ())));
    assert_contains(
        &text,
        &[
            "takes `Object::table`",
            "holds `reservation_ww_class_mutex`",
        ],
    );
    populate(&slot, &bound, || with_reservation(&two, || ()));
    Ok(())
}

#[test]
fn try_lock_gives_no_order() -> Result {
    let jobs: Pin<KBox<Mutex<u32>>> = KBox::pin_init(new_mutex!(0, "jobs"), GFP_KERNEL)?;
    let state: Pin<KBox<Mutex<u32>>> = KBox::pin_init(new_mutex!(0, "state"), GFP_KERNEL)?;

    {
        let _jobs = jobs.lock();
        drop(state.lock());
    }
    // Drivers that need the reverse order call `try_lock()`, and retry later if it fails.
    {
        let _state = state.lock();
        *jobs.try_lock().unwrap() += 1;
    }
    // Only a lock that may wait establishes an order.
    let text = report(|| {
        let _state = state.lock();
        drop(jobs.lock());
    });
    assert_contains(&text, &["takes `jobs`", "holds `state`"]);
    assert_eq!(*jobs.lock(), 1);
    Ok(())
}

/// An access to a slot in the slot's own initialiser fails with `EDEADLK`, without a report.
#[test]
fn the_same_slot_is_refused() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    let slot = slots!("Queue::table")();

    populate(&slot, &bound, || {
        let again = slot.get_or_populate(&bound, || Ok(8));
        assert_eq!(again, Err(EDEADLK));
        assert!(slot.get(&bound).is_none());
    });
    assert_eq!(slot.get(&bound), Some(&7));
    Ok(())
}

/// During a report, a panic hook may wait for other threads that take locks.
#[test]
fn a_panic_hook_waits_for_locks() -> Result {
    /// The time after which another thread counts as blocked.
    const LIMIT: Duration = Duration::from_secs(20);

    let (a, b) = (new_lock!("a")?, new_lock!("b")?);
    {
        let _a = a.lock();
        drop(b.lock());
    }

    let (sender, outcome) = mpsc::channel();
    let reporting = thread::current().id();
    let others = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if thread::current().id() != reporting {
            return others(info);
        }

        let (done, is_done) = mpsc::channel();
        thread::spawn(move || {
            let (log, file) = (new_lock!("log").unwrap(), new_lock!("file").unwrap());
            let _log = log.lock();
            drop(file.lock());
            done.send(())
        });
        sender.send(is_done.recv_timeout(LIMIT)).ok();
    }));

    let report = report(|| {
        let _b = b.lock();
        drop(a.lock());
    });
    assert_contains(&report, &["takes `a`", "holds `b`"]);
    assert_eq!(outcome.try_recv(), Ok(Ok(())), "the hook cannot take locks");
    Ok(())
}
