// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The rows of the contract in which unbind meets somebody else: the end of an object, or one more
//! access.
//!
//! Whoever unmaps takes the object's reservation lock, so holding that stops the world there. The
//! lock is another object's, which outlives the one that is freed.

use super::{
    contract::{
        gpu,
        seen,
        tell,
        Fleet,
        Outcome,
        Shmem,
        Size, //
    },
    resv::DmaResvGuard,
};
use kernel::{
    device::{
        Bound,
        Device, //
    },
    devres::{
        self,
        Devres, //
    },
    drm::gem::BaseObjectPrivate,
    prelude::*,
    sync::aref::ARef,
    testing,
    types::ScopeGuard, //
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
        Mutex, //
    },
    thread,
    time::{
        Duration,
        Instant, //
    },
};

/// How long something that must not happen is given.
const GRACE: Duration = Duration::from_millis(200);

/// How long whoever goes first has to get to where it waits.
const HEAD_START: Duration = Duration::from_millis(20);

/// Whether one of these was set within [`GRACE`].
fn comes_true(flags: [&AtomicBool; 2]) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < GRACE {
        if flags.iter().any(|flag| flag.load(SeqCst)) {
            return true;
        }
        thread::yield_now();
    }

    false
}

/// A mapped object that is reserved together with another one.
struct Family<O: Shmem> {
    child: ARef<O>,
    parent: Fleet<O>,
}

impl<O: Shmem> Family<O> {
    fn new(dev: &Device<Bound>, size: Size) -> Result<Self> {
        let mut parent = Fleet::<O>::new(dev, size, 2)?;
        let child = parent.objects.pop().ok_or(EINVAL)?;

        // SAFETY: Nobody else uses the child yet, and the parent outlives it.
        unsafe { (*child.as_raw()).resv = parent.raw_dma_resv() };
        child.table(dev)?;

        Ok(Self { child, parent })
    }
}

pub(crate) fn unbind_wins<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let Family { child, parent } = Family::<O>::new(&bound, size)?;
    let (unbound, freed) = (AtomicBool::new(false), AtomicBool::new(false));

    // Is released right before the table, as it is registered right after it.
    let (next, is_next) = mpsc::channel();
    let signal = ScopeGuard::new(move || {
        let _ = next.send(());
    });
    devres::register(&bound, signal, GFP_KERNEL)?;

    let early = thread::scope(|scope| {
        let resv = DmaResvGuard::new(&*parent);
        scope.spawn(|| {
            bound.unbind();
            unbound.store(true, SeqCst);
        });
        let _ = is_next.recv();
        thread::sleep(HEAD_START);
        scope.spawn(|| {
            drop(child);
            freed.store(true, SeqCst);
        });
        let early = comes_true([&unbound, &freed]);
        drop(resv);
        early
    });

    waited(early, testing::ledger(&gpu.device()))
}

pub(crate) fn free_wins<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let Family { child, parent } = Family::<O>::new(&bound, size)?;
    let (unbound, freed) = (AtomicBool::new(false), AtomicBool::new(false));

    let early = thread::scope(|scope| {
        let resv = DmaResvGuard::new(&*parent);
        scope.spawn(|| {
            drop(child);
            freed.store(true, SeqCst);
        });
        thread::sleep(HEAD_START);
        scope.spawn(|| {
            bound.unbind();
            unbound.store(true, SeqCst);
        });
        let early = comes_true([&unbound, &freed]);
        drop(resv);
        early
    });

    waited(early, testing::ledger(&gpu.device()))
}

/// What came of two who should have waited for the same unmapping.
fn waited(early: bool, ledger: testing::Ledger) -> Result<Outcome> {
    seen(
        if early {
            "one RETURNED while the table was mapped"
        } else {
            "both waited until the table was unmapped"
        },
        !early && ledger.live == 0 && ledger.unmapped == 1,
        ledger,
    )
}

pub(crate) fn access_during_unbind<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let fleet = Fleet::<O>::one(&bound, size)?;
    let result = Arc::new(Mutex::new("nothing".to_owned()));

    // A `Devres` that is released after the table, as it was made before any slot had a place.
    let callback = {
        let (object, result) = (fleet.objects[0].clone(), result.clone());
        let dev = bound.device();
        ScopeGuard::new(move || {
            // SAFETY: Unbind is waiting for us.
            let dev = unsafe { dev.as_bound() };
            let again = panic::catch_unwind(AssertUnwindSafe(|| tell(object.table(dev))));
            if let Ok(mut result) = result.lock() {
                *result = again.unwrap_or_else(|_| "a panic".to_owned());
            }
        })
    };
    let _older = Devres::new(&bound, callback)?;
    fleet.table(&bound)?;

    bound.unbind();

    let result = result.lock().map_err(|_| EIO)?;
    let ledger = testing::ledger(&gpu.device());
    seen(
        result.as_str(),
        *result == "ENXIO" && ledger.live == 0,
        ledger,
    )
}

pub(crate) fn lent_to_a_callback<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let fleet = Fleet::<O>::one(&bound, size)?;

    let (begin, begins) = mpsc::channel();
    let (using, is_using) = mpsc::channel();
    let (unbinding, is_unbinding) = mpsc::channel();
    let callback = {
        let (object, dev) = (fleet.objects[0].clone(), bound.device());
        thread::spawn(move || {
            let _ = begins.recv();
            // SAFETY: The registration's drop, which unbind waits for, waits for this thread.
            let bound = unsafe { dev.as_bound() };
            let _ = using.send(object.table(bound).is_ok());

            let _ = is_unbinding.recv();
            testing::ledger(&dev).live
        })
    };
    let live = Arc::new(Mutex::new(0));
    let registration = {
        let live = live.clone();
        ScopeGuard::new(move || {
            let _ = unbinding.send(());
            if let (Ok(mut live), Ok(found)) = (live.lock(), callback.join()) {
                *live = found;
            }
        })
    };
    devres::register(&bound, registration, GFP_KERNEL)?;
    let _ = begin.send(());
    let is_using = is_using.recv() == Ok(true);

    bound.unbind();

    let live = *live.lock().map_err(|_| EIO)?;
    let ledger = testing::ledger(&gpu.device());
    seen(
        match live {
            0 => "the table was UNMAPPED under the callback",
            _ => "the table was mapped until the callback had returned",
        },
        is_using && live > 0 && ledger.live == 0,
        ledger,
    )
}
