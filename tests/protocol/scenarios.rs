// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The rows of the contract. Where something must *not* happen, a scenario gives it time to; what
//! must happen, it waits for.

use super::{
    probe::Probe,
    scenario::{
        comes_true,
        ensure,
        Check,
        Wrong, //
    },
    subject::Subject,
};
use kernel::{
    device::{
        Bound,
        Device, //
    },
    devres::Devres,
    prelude::*,
    testing::{
        self,
        TestDevice, //
    },
};
use std::{
    panic::{
        self,
        AssertUnwindSafe, //
    },
    sync::{
        atomic::{
            AtomicBool,
            Ordering::SeqCst, //
        },
        mpsc,
        Arc,
        Barrier,
        Mutex, //
    },
    thread,
    time::Duration,
};

/// How long something that must not happen is given.
const GRACE: Duration = Duration::from_secs(1);

fn device() -> Result<TestDevice> {
    TestDevice::new(c"gpu0")
}

pub(crate) fn success_path<S: Subject>() -> Check {
    let probe = Arc::default();
    let mut dev = device()?;
    let bound = dev.bind()?;
    let subject = S::new(&bound, &probe)?;

    let first = subject.access(&bound)?;
    let asked = probe.asked();
    let fault = testing::fail_nth(u64::MAX);
    subject.locked(|| {
        for _ in 0..100 {
            let again = subject.access(&bound)?;
            ensure!(again == first, "resource {first}, then {again}");
        }
        Ok(())
    })?;

    ensure!(fault.allocations() == 0, "a later access allocates");
    ensure!(probe.asked() == asked, "a later access is slow");
    ensure!(probe.made() == 1, "{} resources were made", probe.made());
    Ok(())
}

pub(crate) fn racing_first_access<S: Subject>() -> Check {
    const THREADS: usize = 8;

    let probe: Arc<Probe> = Arc::default();
    let mut dev = device()?;
    let bound = dev.bind()?;
    let subject = S::new(&bound, &probe)?;
    let dev: &Device<Bound> = &bound;

    // Who maps takes its time, until everybody is on the slow path.
    let everybody = probe.clone();
    probe.next_make(move |_| {
        comes_true(GRACE, || everybody.asked() == THREADS as u32);
        Ok(())
    });

    let results: Vec<Result<u32>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| scope.spawn(|| subject.access(dev)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or(Err(EIO)))
            .collect()
    });

    ensure!(
        results
            .iter()
            .all(|result| *result == results[0] && result.is_ok()),
        "threads got {results:?}"
    );
    ensure!(probe.made() == 1, "{} resources were made", probe.made());
    Ok(())
}

pub(crate) fn wrong_device<S: Subject>() -> Check {
    let probe: Arc<Probe> = Arc::default();
    let (mut dev, mut other) = (device()?, TestDevice::new(c"gpu1")?);
    let (bound, other) = (dev.bind()?, other.bind()?);
    let subject = S::new(&bound, &probe)?;

    let before = subject.access(&other);
    ensure!(before == Err(EINVAL), "before populate: {before:?}");
    ensure!(probe.made() == 0, "something was mapped for a wrong device");

    subject.access(&bound)?;
    let after = subject.access(&other);
    ensure!(after == Err(EINVAL), "after populate: {after:?}");
    ensure!(probe.made() == 1, "something was mapped for a wrong device");
    Ok(())
}

pub(crate) fn failing_map<S: Subject>() -> Check {
    let probe: Arc<Probe> = Arc::default();
    let mut dev = device()?;
    let bound = dev.bind()?;
    let subject = S::new(&bound, &probe)?;

    for error in [EIO, EAGAIN] {
        probe.next_make(move |_| Err(error));
        let failed = subject.access(&bound);
        ensure!(failed == Err(error), "expected {error:?}, got {failed:?}");
        ensure!(probe.live() == 0, "{} resources are left", probe.live());
    }

    subject.access(&bound)?;
    drop(subject);
    ensure!(probe.live() == 0, "{} resources are left", probe.live());
    Ok(())
}

pub(crate) fn failing_allocation<S: Subject>() -> Check {
    let probe: Arc<Probe> = Arc::default();

    for nth in 1.. {
        // A new one each time, as what all slots of a device share is allocated once.
        let mut dev = device()?;
        let bound = dev.bind()?;
        let subject = S::new(&bound, &probe)?;
        let fault = testing::fail_nth(nth);
        let result = subject.access(&bound);
        let tripped = fault.tripped();
        drop(fault);

        if !tripped {
            ensure!(nth > 1, "nothing was allocated");
            break;
        }
        ensure!(result == Err(ENOMEM), "allocation {nth} failed: {result:?}");
        ensure!(
            probe.live() == 0,
            "allocation {nth}: {} resources are left",
            probe.live()
        );

        subject.access(&bound)?;
        drop(subject);
        ensure!(probe.live() == 0, "{} resources are left", probe.live());
    }
    Ok(())
}

pub(crate) fn unbind<S: Subject>() -> Check {
    let probe: Arc<Probe> = Arc::default();
    let mut dev = device()?;
    let bound = dev.bind()?;
    let subject = S::new(&bound, &probe)?;
    subject.access(&bound)?;

    bound.unbind();

    ensure!(
        probe.live() == 0,
        "{} resources are left after unbind",
        probe.live()
    );
    ensure!(
        subject.try_access(|| ()).is_none(),
        "a revoked resource is lent"
    );
    drop(subject);
    ensure!(probe.dropped() == 1, "dropped {} times", probe.dropped());
    Ok(())
}

pub(crate) fn rebind<S: Subject>() -> Check {
    let probe: Arc<Probe> = Arc::default();
    let mut dev = device()?;
    let bound = dev.bind()?;
    let subject = S::new(&bound, &probe)?;
    subject.access(&bound)?;
    bound.unbind();

    for _ in 0..2 {
        let bound = dev.bind()?;
        for _ in 0..2 {
            let again = subject.access(&bound);
            ensure!(again == Err(ENXIO), "after a rebind: {again:?}");
        }
        let peek = subject.peek(&bound);
        ensure!(peek == Ok(None), "after a rebind, peek: {peek:?}");
    }
    ensure!(probe.made() == 1, "{} resources were made", probe.made());
    Ok(())
}

pub(crate) fn access_during_unbind<S: Subject>() -> Check {
    /// A `Devres` that is released after the slot, as it was made before the slot's registry.
    struct Callback<F: FnMut()>(F);

    impl<F: FnMut()> Drop for Callback<F> {
        fn drop(&mut self) {
            (self.0)();
        }
    }

    let probe: Arc<Probe> = Arc::default();
    let mut dev = device()?;
    let bound = dev.bind()?;
    let subject = Arc::new(Mutex::new(None::<S>));
    let result = Arc::new(Mutex::new(None));

    let callback = {
        let (subject, result, dev) = (subject.clone(), result.clone(), bound.device());
        Callback(move || {
            // SAFETY: Unbind is under way, as it is for callbacks that are passed a bound device.
            let dev = unsafe { dev.as_bound() };
            let subject = subject.lock().unwrap();
            *result.lock().unwrap() = subject.as_ref().map(|subject| subject.access(dev));
        })
    };
    let _older = Devres::new(&bound, callback)?;

    let populated = S::new(&bound, &probe)?;
    populated.access(&bound)?;
    *subject.lock().unwrap() = Some(populated);
    bound.unbind();

    let result = result.lock().unwrap().take();
    ensure!(
        result == Some(Err(ENXIO)),
        "in the middle of unbind: {result:?}"
    );
    ensure!(probe.live() == 0, "{} resources are left", probe.live());
    Ok(())
}

pub(crate) fn free_before_unbind<S: Subject>() -> Check {
    let probe: Arc<Probe> = Arc::default();
    let mut dev = device()?;
    let bound = dev.bind()?;
    let subject = S::new(&bound, &probe)?;
    subject.access(&bound)?;

    drop(subject);
    ensure!(
        probe.live() == 0,
        "{} resources are left after the free",
        probe.live()
    );

    bound.unbind();
    ensure!(probe.dropped() == 1, "dropped {} times", probe.dropped());
    Ok(())
}

pub(crate) fn unbind_wins<S: Subject>() -> Check {
    let probe: Arc<Probe> = Arc::default();
    let mut dev = device()?;
    let bound = dev.bind()?;
    let subject = S::new(&bound, &probe)?;
    subject.access(&bound)?;
    probe.drop_gate.close();

    let returned = AtomicBool::new(false);
    let early = thread::scope(|scope| {
        scope.spawn(|| bound.unbind());
        probe.drop_gate.wait_for_somebody();

        // Unbind is dropping the resource.
        scope.spawn(|| {
            drop(subject);
            returned.store(true, SeqCst);
        });
        let early = comes_true(GRACE, || returned.load(SeqCst));
        probe.drop_gate.open();
        early
    });

    ensure!(!early, "the free returned before the resource was gone");
    ensure!(probe.dropped() == 1, "dropped {} times", probe.dropped());
    Ok(())
}

pub(crate) fn free_wins<S: Subject>() -> Check {
    let probe: Arc<Probe> = Arc::default();
    let mut dev = device()?;
    let bound = dev.bind()?;
    let subject = S::new(&bound, &probe)?;
    subject.access(&bound)?;
    probe.drop_gate.close();

    let returned = AtomicBool::new(false);
    let early = thread::scope(|scope| {
        scope.spawn(|| drop(subject));
        probe.drop_gate.wait_for_somebody();

        // The free is dropping the resource.
        scope.spawn(|| {
            bound.unbind();
            returned.store(true, SeqCst);
        });
        let early = comes_true(GRACE, || returned.load(SeqCst));
        probe.drop_gate.open();
        early
    });

    ensure!(!early, "unbind returned before the resource was gone");
    ensure!(probe.dropped() == 1, "dropped {} times", probe.dropped());
    Ok(())
}

pub(crate) fn free_and_unbind<S: Subject>() -> Check {
    let probe: Arc<Probe> = Arc::default();
    let mut dev = device()?;

    for round in 1..=200 {
        let bound = dev.bind()?;
        let subject = S::new(&bound, &probe)?;
        subject.access(&bound)?;

        let barrier = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                drop(subject);
            });
            barrier.wait();
            bound.unbind();
        });
        ensure!(
            probe.dropped() == round,
            "round {round}: dropped {}",
            probe.dropped()
        );
    }
    Ok(())
}

pub(crate) fn peek<S: Subject>() -> Check {
    let probe: Arc<Probe> = Arc::default();
    let (mut dev, mut other) = (device()?, TestDevice::new(c"gpu1")?);
    let (bound, other) = (dev.bind()?, other.bind()?);
    let subject = S::new(&bound, &probe)?;

    subject.locked(|| {
        let empty = subject.peek(&bound);
        ensure!(empty == Ok(None), "while empty: {empty:?}");
        let wrong = subject.peek(&other);
        ensure!(wrong == Err(EINVAL), "wrong device, empty: {wrong:?}");
        Ok(())
    })?;
    ensure!(probe.made() == 0, "peek maps");

    let id = subject.access(&bound)?;
    let mapped = subject.peek(&bound);
    ensure!(mapped == Ok(Some(id)), "while mapped: {mapped:?}");
    let wrong = subject.peek(&other);
    ensure!(wrong == Err(EINVAL), "wrong device, mapped: {wrong:?}");
    Ok(())
}

pub(crate) fn try_access<S: Subject>() -> Check {
    let probe: Arc<Probe> = Arc::default();
    let mut dev = device()?;
    let bound = dev.bind()?;
    let subject = S::new(&bound, &probe)?;

    let empty = subject.locked(|| subject.try_access(|| ()));
    ensure!(empty.is_none(), "while empty: {empty:?}");

    let id = subject.access(&bound)?;
    let mut early = true;
    let (started, starts) = mpsc::channel();
    let lent = thread::scope(|scope| {
        subject.try_access(|| {
            scope.spawn(move || {
                let _ = started.send(());
                bound.unbind();
            });
            let _ = starts.recv();
            early = comes_true(GRACE, || probe.dropped() > 0);
        })
    });
    ensure!(lent == Some(id), "while mapped: {lent:?}");
    ensure!(!early, "dropped while a guard was held");
    ensure!(probe.dropped() == 1, "dropped {} times", probe.dropped());

    let revoked = subject.try_access(|| ());
    ensure!(revoked.is_none(), "after unbind: {revoked:?}");
    Ok(())
}

pub(crate) fn revoke<S: Subject>() -> Check {
    let probe: Arc<Probe> = Arc::default();
    let mut dev = device()?;
    let bound = dev.bind()?;
    let mut subject = S::new(&bound, &probe)?;

    // There is nothing to revoke.
    subject.revoke();

    let first = subject.access(&bound)?;
    subject.revoke();
    ensure!(probe.live() == 0, "{} resources are left", probe.live());
    let peek = subject.peek(&bound);
    ensure!(peek == Ok(None), "revoked, peek: {peek:?}");
    ensure!(
        subject.try_access(|| ()).is_none(),
        "a revoked resource is lent"
    );

    let second = subject.access(&bound)?;
    ensure!(first != second, "the same resource after it was revoked");
    bound.unbind();
    ensure!(probe.dropped() == 2, "dropped {} times", probe.dropped());

    // Also what unbind revoked.
    subject.revoke();
    let bound = dev.bind()?;
    subject.access(&bound)?;
    drop(subject);
    ensure!(probe.made() == 3, "{} resources were made", probe.made());
    ensure!(probe.live() == 0, "{} resources are left", probe.live());
    Ok(())
}

pub(crate) fn init_panics<S: Subject>() -> Check {
    let probe: Arc<Probe> = Arc::default();
    let mut dev = device()?;
    let bound = dev.bind()?;
    let subject = S::new(&bound, &probe)?;
    let dev: &Device<Bound> = &bound;

    probe.next_make(|_| panic!("the initialiser panics"));
    let result = panic::catch_unwind(AssertUnwindSafe(|| subject.access(dev)));
    ensure!(result.is_err(), "there was no panic");
    ensure!(probe.live() == 0, "{} resources are left", probe.live());
    ensure!(subject.peek(dev) == Ok(None), "something is lent");

    // Nobody hangs, neither this thread nor another one.
    subject.access(dev)?;
    thread::scope(|scope| {
        scope
            .spawn(|| subject.access(dev))
            .join()
            .unwrap_or(Err(EIO))
    })?;
    Ok(())
}

pub(crate) fn recursion<S: Subject>() -> Check {
    let probe: Arc<Probe> = Arc::default();
    let mut dev = device()?;
    let bound = dev.bind()?;
    let subject = Arc::new(S::new(&bound, &probe)?);

    let again = subject.clone();
    probe.next_make(move |dev| again.access(dev).map(|_| ()));
    let result = panic::catch_unwind(AssertUnwindSafe(|| subject.access(&bound)));

    let Err(panic) = result else {
        return Err(Wrong("there was no panic".to_owned()));
    };
    let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
    ensure!(text.contains("Object::resource"), "the panic says: {text}");
    Ok(())
}
