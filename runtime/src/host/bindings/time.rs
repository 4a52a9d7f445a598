// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The time that has passed: `include/linux/timekeeping.h`.

use core::ffi::c_int;
use std::{sync::OnceLock, time::Instant};

/// A number of nanoseconds: `ktime_t`.
pub type ktime_t = i64;

/// The number of a clock: `clockid_t`.
pub type clockid_t = c_int;

/// The clock that goes on steadily.
pub const CLOCK_MONOTONIC: clockid_t = 1;

/// Returns how long ago the program first asked: `ktime_get()`.
///
/// # Safety
///
/// There are no requirements.
#[must_use]
pub unsafe fn ktime_get() -> ktime_t {
    static BEGIN: OnceLock<Instant> = OnceLock::new();

    let nanos = BEGIN.get_or_init(Instant::now).elapsed().as_nanos();
    ktime_t::try_from(nanos).unwrap_or(ktime_t::MAX)
}
