// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The slot under stress: threads that map, read, try, revoke and free, while two devices are bound
//! and unbound over and over.
//!
//! In `cargo test` it is a matter of a second. `cargo xtask tsan` runs it for longer, under
//! ThreadSanitizer, and then the mutants, each of which has to be reported. `docs/protocol.md` says
//! what this shows and what it does not.

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

/// The slot holds.
#[test]
fn slot() {
    sound::stress::run();
}

/// So does a copy of it: that mutants fail is due to their edits.
#[test]
fn copy() {
    unedited::stress::run();
}
