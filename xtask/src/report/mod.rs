// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What benchmarks have in common, on the host and in a kernel: rows and their spread, counts of
//! instructions, tables, targets, plots, and the parts of pages that are written by a command.

pub(crate) mod accesses;
pub(crate) mod machine;
pub(crate) mod page;
pub(crate) mod plot;
pub(crate) mod rows;
pub(crate) mod spread;
pub(crate) mod table;
pub(crate) mod target;
