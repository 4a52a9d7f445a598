// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Runs a property in every order. Provides the resources of properties, which check that they are
//! used and dropped in order.

use crate::prelude::*;
use loom::{
    cell::UnsafeCell,
    model::Builder,
    sync::Mutex as Lock,
    thread::{self, ThreadId},
};
use std::{
    any::Any,
    sync::{
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        Arc, Mutex,
    },
};

/// The number of orders that were run.
pub(crate) static ORDERS: AtomicUsize = AtomicUsize::new(0);

/// The number of times that the threads of a property may be preempted; [`usize::MAX`] for no
/// limit.
pub(crate) static PREEMPTIONS: AtomicUsize = AtomicUsize::new(0);

/// Whether a thread yields while it makes or drops a resource.
///
/// If a thread yields, the checker runs fewer orders, but also orders that it does not find
/// otherwise.
static YIELDS: AtomicBool = AtomicBool::new(false);

/// Runs a property in every order with at most so many preemptions. Runs it twice: with resources
/// that yield while they are made and dropped, and with resources that do not.
pub(crate) fn check(
    preemptions: Option<usize>,
    property: impl Fn() + Copy + Send + Sync + 'static,
) {
    PREEMPTIONS.store(preemptions.unwrap_or(usize::MAX), SeqCst);

    for yields in [false, true] {
        YIELDS.store(yields, SeqCst);

        let mut builder = Builder::new();
        builder.preemption_bound = preemptions;
        builder.max_branches = 10_000;
        builder.check(move || {
            ORDERS.fetch_add(1, SeqCst);
            property();
        });
    }
}

/// Called in the middle of making or dropping a resource. Yields if the run asks for it.
fn half_way() {
    if YIELDS.load(SeqCst) {
        thread::yield_now();
    }
}

/// The events of a run's resources. The checker does not follow accesses to a `Ledger`.
#[derive(Default)]
pub(crate) struct Ledger {
    made: AtomicUsize,
    dropped: Mutex<Vec<(usize, ThreadId)>>,
}

impl Ledger {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Makes a resource.
    #[allow(clippy::unnecessary_wraps, reason = "what an initialiser returns")]
    pub(crate) fn make(self: &Arc<Self>, name: usize) -> Result<Resource> {
        self.make_with(name, None)
    }

    /// Makes a resource that owns `owned`.
    pub(crate) fn make_owning<T: Send + 'static>(
        self: &Arc<Self>,
        name: usize,
        owned: T,
    ) -> Result<Resource> {
        self.make_with(name, Some(Box::new(owned)))
    }

    fn make_with(
        self: &Arc<Self>,
        name: usize,
        owned: Option<Box<dyn Any + Send>>,
    ) -> Result<Resource> {
        self.made.fetch_add(1, SeqCst);
        half_way();
        Ok(Resource {
            name,
            cell: UnsafeCell::new(name),
            ledger: self.clone(),
            _owned: owned,
        })
    }

    pub(crate) fn made(&self) -> usize {
        self.made.load(SeqCst)
    }

    /// Returns the names of the dropped resources, in the order of the drops.
    pub(crate) fn dropped(&self) -> Vec<usize> {
        self.dropped
            .lock()
            .unwrap()
            .iter()
            .map(|(name, _)| *name)
            .collect()
    }

    /// Returns the thread that has dropped the last resource.
    pub(crate) fn dropped_by(&self) -> ThreadId {
        self.dropped.lock().unwrap().last().unwrap().1
    }
}

/// A resource. Reading it while it is being made or dropped is a failure.
pub(crate) struct Resource {
    name: usize,
    cell: UnsafeCell<usize>,
    ledger: Arc<Ledger>,
    _owned: Option<Box<dyn Any + Send>>,
}

// SAFETY: The checker reports races on `cell`, and `_owned` is used by the drop only.
unsafe impl Sync for Resource {}

impl Resource {
    pub(crate) fn read(&self) {
        self.cell.with(|value| {
            // SAFETY: The checker has found that no other thread writes the cell.
            assert_eq!(unsafe { *value }, self.name);
        });
    }
}

impl Drop for Resource {
    fn drop(&mut self) {
        half_way();
        self.cell.with_mut(|value| {
            // SAFETY: The checker has found that no other thread uses the cell.
            unsafe { *value = usize::MAX };
        });
        self.ledger
            .dropped
            .lock()
            .unwrap()
            .push((self.name, thread::current().id()));
    }
}

/// Whether a device is bound. A thread may use the device while the gate is open, and `close()`
/// waits for that thread.
pub(crate) struct Gate(Lock<bool>);

impl Gate {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Lock::new(true)))
    }

    pub(crate) fn while_open(&self, f: impl FnOnce()) {
        let is_open = self.0.lock().unwrap();
        if *is_open {
            f();
        }
    }

    pub(crate) fn close(&self) {
        *self.0.lock().unwrap() = false;
    }

    pub(crate) fn open(&self) {
        *self.0.lock().unwrap() = true;
    }
}
