// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Holds nothing: the crates are in `macros/` and `runtime/`. This package owns the examples, the
//! tests that need the whole project, and the benchmarks.

/// Compiles the snippets of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

/// Compiles the snippets of a page.
#[cfg(doctest)]
#[doc = include_str!("../docs/annotation.md")]
pub struct Annotation;

/// Compiles the snippets of a page.
#[cfg(doctest)]
#[doc = include_str!("../docs/porting.md")]
pub struct Porting;
