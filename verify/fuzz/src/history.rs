// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Histories of objects and devices against a model, the one that `tests/protocol` has.

use crate::histories::{run, Annotated, Object, Step};

/// How many steps a history has at most.
const STEPS: usize = 200;

/// Checks the history that these bytes stand for, three for a step.
///
/// # Panics
///
/// If something else happens than the model says.
pub fn check(data: &[u8]) {
    check_for::<Annotated>(data);
}

/// As [`check()`], for other objects.
pub(crate) fn check_for<O: Object>(data: &[u8]) {
    let steps = data
        .chunks_exact(3)
        .filter_map(|bytes| bytes.try_into().ok());
    let result = run::<O>(steps.take(STEPS).map(Step::from_bytes));

    assert!(result.is_ok(), "a history cannot begin: {result:?}");
}
