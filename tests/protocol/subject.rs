// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What scenarios are run on, and what is said of them.

use super::probe::Probe;
use devres_lazy::{
    device::{
        Bound,
        Device, //
    },
    prelude::*,
};
use std::{
    any::type_name,
    panic::{
        self,
        AssertUnwindSafe, //
    },
    sync::Arc,
};

/// An object with one lazy field. Resources are known by their ids.
pub(crate) trait Subject: Send + Sync + Sized + 'static {
    /// Creates an object that belongs to `dev`.
    fn new(dev: &Device<Bound>, probe: &Arc<Probe>) -> Result<Self>;

    /// The accessor.
    fn access(&self, dev: &Device<Bound>) -> Result<u32>;

    /// `peek`.
    fn peek(&self, dev: &Device<Bound>) -> Result<Option<u32>>;

    /// `try_access`; calls `with` while the guard is held.
    fn try_access(&self, with: impl FnOnce()) -> Option<u32>;

    /// `revoke`.
    fn revoke(&mut self);

    /// Calls `with` while the slot's lock is held.
    fn locked<R>(&self, with: impl FnOnce() -> R) -> R;
}

/// What is wrong with a subject.
pub(crate) struct Wrong(pub(crate) String);

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        Self(format!("unexpected {error:?}"))
    }
}

/// Goes through a scenario with a subject.
pub(crate) type Scenario = fn() -> Result<(), Wrong>;

/// Runs a scenario. A panic is something wrong, too.
fn run(scenario: Scenario) -> Result<(), Wrong> {
    panic::catch_unwind(AssertUnwindSafe(scenario)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Wrong(text.unwrap_or_else(|| "panic".to_owned())))
    })
}

/// Asserts that nothing is wrong with `S`.
#[track_caller]
pub(crate) fn holds<S: Subject>(scenario: Scenario) {
    if let Err(Wrong(wrong)) = run(scenario) {
        panic!("{}: {wrong}", type_name::<S>());
    }
}

/// Asserts that the scenario finds out what is wrong with `S`.
#[track_caller]
pub(crate) fn caught<S: Subject>(scenario: Scenario) {
    match run(scenario) {
        Err(Wrong(wrong)) => println!("{} is caught: {wrong}", type_name::<S>()),
        Ok(()) => panic!("{} is not caught", type_name::<S>()),
    }
}
