// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Scenarios: each is run on objects that have to hold, and on mutants that the scenario has to
//! catch. For all tests with mutants.

use kernel::prelude::*;
use std::{
    any::type_name,
    panic::{self, AssertUnwindSafe},
    thread,
    time::{Duration, Instant},
};

/// The fault of the tested object.
pub(crate) struct Wrong(pub(crate) String);

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        Self(format!("unexpected {error:?}"))
    }
}

/// The outcome of a scenario, or of a part of one.
pub(crate) type Check = Result<(), Wrong>;

/// Goes through a scenario with a tested object.
pub(crate) type Scenario = fn() -> Check;

/// Returns what is wrong unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err(Wrong(format!($($text)+)));
        }
    };
}
pub(crate) use ensure;

/// Waits for `condition` until `limit`. Returns whether the condition holds.
pub(crate) fn comes_true(limit: Duration, condition: impl Fn() -> bool) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < limit {
        if condition() {
            return true;
        }
        thread::yield_now();
    }

    condition()
}

/// Runs a scenario. A panic counts as a fault.
fn run(scenario: Scenario) -> Check {
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
pub(crate) fn holds<S>(scenario: Scenario) {
    if let Err(Wrong(wrong)) = run(scenario) {
        panic!("{}: {wrong}", type_name::<S>());
    }
}

/// Asserts that the scenario finds out what is wrong with `S`.
#[track_caller]
pub(crate) fn caught<S>(scenario: Scenario) {
    match run(scenario) {
        Err(Wrong(wrong)) => println!("{} is caught: {wrong}", type_name::<S>()),
        Ok(()) => panic!("{} is not caught", type_name::<S>()),
    }
}
