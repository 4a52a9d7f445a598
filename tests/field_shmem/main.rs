// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The shmem object in the field: C code and other drivers do to it what the tree lets them do.
//!
//! Each scenario says what is right, and which function of Linux 7.3 says so. Those that need no
//! second driver, and nothing that goes wrong on purpose, are rows of the example instead, and
//! KUnit tests by the same names: `interrupted`, `purge`, `table_of_c`, `data_owns_object`,
//! `registration_data` and the `last_holder` family.

#[path = "../../examples/shmem/driver.rs"]
#[allow(
    clippy::duplicate_mod,
    dead_code,
    reason = "the example's own copy is private to it, and does more"
)]
mod driver;
#[path = "../../examples/shmem/resv.rs"]
#[allow(
    clippy::duplicate_mod,
    reason = "the example's own copy is private to it"
)]
mod resv;
#[path = "../../examples/shmem_sgt.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "a program, of which only the object is used here"
)]
mod shmem_sgt;

mod import;
mod pages;
mod purge;
mod raw;
