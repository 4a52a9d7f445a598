// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The shmem object in the field, used by C code and other drivers in the ways that the tree
//! allows.
//!
//! Each scenario states the right outcome, and the function of Linux 7.3 that decides it. Those
//! that need no second driver, and nothing that goes wrong on purpose, are KUnit tests instead:
//! `interrupted`, `purge`, `table_of_c`, `data_owns_object`, `registration_data` and the
//! `last_holder` family.

// Shared with the example.
#[path = "../../examples/shmem/driver.rs"]
mod driver;
#[path = "../../examples/shmem/resv.rs"]
mod resv;

mod import;
mod pages;
mod purge;
mod raw;
