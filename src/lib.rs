// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Holds nothing: the crates are in `macros/` and `runtime/`. This package owns the examples, the
//! tests that need the whole project, and the benchmarks.

/// Compiles what the README shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
