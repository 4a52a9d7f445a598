// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Beyond the KUnit suites: random histories against a model, and panics.
//!
//! The suites of `kernel/tree/` test each row of the contract, on the host as well. `tests/mutants`
//! has mutants that the suites have to catch. Here, three kinds of objects are tested. The
//! annotated object and a reference copy of its slot, written from scratch, have to hold. Mutants
//! of the reference copy, broken in one way each, have to be caught.

// `tests/support` is shared with other tests and with `verify/fuzz`.
#[path = "../support/histories/mod.rs"]
mod histories;
mod model;
#[path = "../support/histories/one_field.rs"]
mod one_field;
#[allow(dead_code, reason = "other tests use the rest")]
mod probe;
mod real;
#[allow(dead_code, reason = "other tests use the rest")]
mod reference_copy;
#[path = "../support/scenario.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod scenario;
#[allow(dead_code, reason = "other tests use the rest")]
mod tested;
mod unwinding;
