// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the KUnit suites leave: random histories against a model, and panics.
//!
//! The contract itself, row by row, is in the suites of `kernel/tree/`, which run on the host as
//! well; `tests/mutants` has broken copies that they have to catch. Here, the subjects are the
//! annotated object, which has to hold; a slot written from scratch, which has to hold too; and
//! twins of that slot which are broken in one way each, and have to be caught.

// `tests/support` is shared with other tests and with `verify/fuzz`.
#[path = "../support/histories/mod.rs"]
mod histories;
mod model;
#[path = "../support/histories/one_field.rs"]
mod one_field;
#[allow(dead_code, reason = "other tests use the rest")]
mod probe;
mod real;
#[path = "../support/scenario.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod scenario;
#[allow(dead_code, reason = "other tests use the rest")]
mod subject;
#[allow(dead_code, reason = "other tests use the rest")]
mod twin;
mod unwinding;
