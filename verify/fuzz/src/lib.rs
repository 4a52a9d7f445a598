// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The checks of the fuzz targets, each a function of the fuzzer's bytes that panics if something is
//! wrong. `cargo test` replays the inputs that once found something, without a fuzzer.

#[cfg(feature = "expander")]
pub mod annotation;
#[cfg(feature = "expander")]
pub mod file;
#[cfg(feature = "runtime")]
pub mod history;

#[cfg(feature = "expander")]
mod comments;
#[cfg(feature = "expander")]
mod expressions;
#[cfg(feature = "expander")]
mod files;
// Shared with `tests/protocol`.
#[cfg(feature = "runtime")]
#[path = "../../../tests/support/histories/mod.rs"]
mod histories;
#[cfg(feature = "expander")]
mod items;
#[cfg(all(test, feature = "runtime"))]
mod mutants;
#[cfg(feature = "expander")]
mod program;
#[cfg(feature = "expander")]
mod soup;
#[cfg(feature = "expander")]
mod writer;
