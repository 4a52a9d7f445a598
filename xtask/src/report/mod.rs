// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The common parts of benchmarks on the host and in a kernel. These are rows and their spread,
//! counts of instructions, tables, targets, and the parts of pages that a command writes.

pub(crate) mod accesses;
pub(crate) mod machine;
pub(crate) mod page;
pub(crate) mod rows;
pub(crate) mod table;
pub(crate) mod target;
