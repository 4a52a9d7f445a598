// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Helpers of the scenarios.

use crate::{
    probe::Probe,
    scenario::{Check, Wrong},
};
use kernel::{prelude::*, testing::TestDevice};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How long something that must not happen is given.
pub(crate) const GRACE: Duration = Duration::from_millis(300);

pub(crate) fn device() -> Result<TestDevice> {
    TestDevice::new(c"gpu0")
}

/// Findings of callbacks, for the test to look at.
pub(crate) struct Seen<T>(Arc<Mutex<Vec<T>>>);

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Seen<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Seen<T> {
    pub(crate) fn note(&self, what: T) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(what);
    }

    pub(crate) fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Checks that each resource of `probe` was dropped, once.
pub(crate) fn balanced(probe: &Probe, when: &str) -> Check {
    if probe.live() == 0 {
        return Ok(());
    }
    Err(Wrong(format!(
        "{when}: {} resources were made, {} dropped",
        probe.made(),
        probe.dropped()
    )))
}
