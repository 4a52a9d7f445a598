// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A resource that counts, and can be told to misbehave.

use kernel::{
    device::{Bound, Device},
    prelude::*,
};
use std::sync::{
    atomic::{AtomicU32, Ordering::SeqCst},
    Arc, Condvar, Mutex, PoisonError,
};

/// An observer that numbers resources, and may let one fail half way.
pub(crate) trait Watch: Send + Sync {
    /// A resource is being made. Returns its number.
    fn makes(&self) -> u32;

    /// The first half of a resource was made.
    fn is_half_way(&self) -> Result;

    /// A resource was dropped.
    fn was_dropped(&self, id: u32);
}

/// The events of one object's resources, and the fate of the next one.
#[derive(Default)]
pub(crate) struct Probe {
    made: AtomicU32,
    dropped: AtomicU32,
    /// The number of calls for the owner's device, which only the slow path of the accessor makes.
    asked: AtomicU32,
    plan: Mutex<Plan>,
    /// The history that the object is in, if it is in one.
    watch: Option<Arc<dyn Watch>>,
    /// Dropping a resource passes this gate.
    pub(crate) drop_gate: Gate,
}

/// Called while a resource is being made.
type Hook = Box<dyn FnOnce(&Device<Bound>) -> Result + Send>;

#[derive(Default)]
struct Plan {
    next: Option<Hook>,
}

impl Probe {
    /// For an object in a history.
    #[allow(dead_code, reason = "not every user of this file has histories")]
    pub(crate) fn of(watch: Arc<dyn Watch>) -> Self {
        Self {
            watch: Some(watch),
            ..Self::default()
        }
    }

    /// Makes a resource, and calls the planned hook. A failure releases everything.
    pub(crate) fn make(self: &Arc<Self>, dev: &Device<Bound>) -> Result<Resource> {
        let resource = self.take();
        self.finish(dev)?;

        Ok(resource)
    }

    /// The first half of [`make()`](Self::make): as if pages were taken.
    pub(crate) fn take(self: &Arc<Self>) -> Resource {
        let made = self.made.fetch_add(1, SeqCst) + 1;

        Resource {
            id: self.watch.as_ref().map_or(made, |watch| watch.makes()),
            probe: self.clone(),
        }
    }

    /// The second half of [`make()`](Self::make): as if they were mapped.
    pub(crate) fn finish(&self, dev: &Device<Bound>) -> Result {
        let hook = self.plan().next.take();

        hook.map_or(Ok(()), |hook| hook(dev))?;
        self.watch
            .as_ref()
            .map_or(Ok(()), |watch| watch.is_half_way())
    }

    /// Plans what happens while the next resource is made.
    pub(crate) fn next_make(&self, hook: impl FnOnce(&Device<Bound>) -> Result + Send + 'static) {
        self.plan().next = Some(Box::new(hook));
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the owner's device, and counts the call.
    pub(crate) fn ask<'a>(&self, dev: &'a Device) -> &'a Device {
        self.asked.fetch_add(1, SeqCst);
        dev
    }

    /// Returns the number of calls for the owner's device.
    pub(crate) fn asked(&self) -> u32 {
        self.asked.load(SeqCst)
    }

    /// Returns the number of resources made, failed attempts included.
    pub(crate) fn made(&self) -> u32 {
        self.made.load(SeqCst)
    }

    /// Returns the number of resources dropped.
    pub(crate) fn dropped(&self) -> u32 {
        self.dropped.load(SeqCst)
    }

    /// Returns the number of resources left. The number is negative if one was dropped twice.
    pub(crate) fn live(&self) -> i64 {
        i64::from(self.made()) - i64::from(self.dropped())
    }
}

/// The resource.
pub(crate) struct Resource {
    /// Counts from 1, in the order in which they were made.
    pub(crate) id: u32,
    pub(crate) probe: Arc<Probe>,
}

impl Drop for Resource {
    fn drop(&mut self) {
        self.probe.drop_gate.pass();
        self.probe.dropped.fetch_add(1, SeqCst);
        if let Some(watch) = &self.probe.watch {
            watch.was_dropped(self.id);
        }
    }
}

/// A gate that is open until it is closed.
#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Default)]
struct GateState {
    is_closed: bool,
    waiting: u32,
}

impl Gate {
    /// Closes the gate: threads that come to the gate wait.
    pub(crate) fn close(&self) {
        self.set(true);
    }

    /// Opens the gate.
    pub(crate) fn open(&self) {
        self.set(false);
    }

    fn set(&self, is_closed: bool) {
        self.lock().is_closed = is_closed;
        self.changed.notify_all();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, GateState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the gate is open.
    fn pass(&self) {
        let mut state = self.lock();
        state.waiting += 1;
        self.changed.notify_all();
        while state.is_closed {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting -= 1;
    }

    /// Waits until a thread waits at the gate.
    pub(crate) fn wait_for_a_thread(&self) {
        let mut state = self.lock();
        while state.waiting == 0 {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}
