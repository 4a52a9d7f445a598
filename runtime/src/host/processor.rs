// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Processors.
//!
//! Stands for `rust/kernel/processor.rs`. C header: `include/linux/processor.h`.

use std::thread;

/// Lets others go on, between one look at a variable and the next: `cpu_relax()`.
#[inline]
pub fn cpu_relax() {
    // There may be fewer CPUs than threads that wait for each other.
    thread::yield_now();
}
