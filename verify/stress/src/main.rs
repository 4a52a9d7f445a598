// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The slot under stress: threads that map, read, try, revoke and free, while two devices are bound
//! and unbound over and over.
//!
//! `cargo test` runs the test for a second. `cargo xtask tsan` runs the test for longer, under
//! ThreadSanitizer, and then the mutants, each of which has to be reported. `docs/protocol.md` has
//! the limits of this check.

#![allow(
    clippy::duplicate_mod,
    reason = "each variant of the protocol is compiled with the same test"
)]

mod fault;
mod sound;
mod world;

// The items that the copies find at the root of the runtime.
use kernel::{bindings, device, prelude, str, sync, types};

include!(concat!(env!("OUT_DIR"), "/variants.rs"));

/// The slot passes.
#[test]
fn slot() {
    sound::stress::run();
}

/// An unedited copy passes as well. So the mutants fail because of their edits.
#[test]
fn copy() {
    unedited::stress::run();
}
