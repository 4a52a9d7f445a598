// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Units of time, spans of time, and clocks.
//!
//! Stands for `rust/kernel/time.rs`. C headers: `include/linux/jiffies.h` and
//! `include/vdso/time64.h`.

pub mod delay;

mod clock;
mod delta;

pub use self::{
    clock::{ClockSource, Instant, Monotonic},
    delta::{Delta, Jiffy, Nsec, TimeUnit},
};

use core::{
    ffi::{c_uint, c_ulong},
    time::Duration,
};

/// Nanoseconds in a microsecond.
pub const NSEC_PER_USEC: i64 = 1_000;

/// Nanoseconds in a millisecond.
pub const NSEC_PER_MSEC: i64 = 1_000_000;

/// Nanoseconds in a second.
pub const NSEC_PER_SEC: i64 = 1_000_000_000;

/// The time unit of the scheduler: `1/HZ` seconds, with 1000 as `HZ` on the host.
pub type Jiffies = c_ulong;

/// Milliseconds.
pub type Msecs = c_uint;

/// Converts milliseconds to jiffies: `msecs_to_jiffies()`.
///
/// # Examples
///
/// ```
/// use kernel::time::msecs_to_jiffies;
///
/// assert_eq!(msecs_to_jiffies(20), 20);
/// ```
#[inline]
pub fn msecs_to_jiffies(msecs: Msecs) -> Jiffies {
    msecs.into()
}

/// Converts jiffies to a duration.
pub(crate) fn from_jiffies(jiffies: Jiffies) -> Duration {
    // A `c_ulong` has up to 64 bits.
    #[allow(clippy::useless_conversion, reason = "it has 32 bits on some hosts")]
    Duration::from_millis(jiffies.into())
}

/// Converts a duration to jiffies, rounded up.
pub(crate) fn to_jiffies(duration: Duration) -> Jiffies {
    let millis = duration.as_nanos().div_ceil(1_000_000);
    Jiffies::try_from(millis).unwrap_or(Jiffies::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_jiffy_is_one() {
        assert_eq!(to_jiffies(Duration::ZERO), 0);
        assert_eq!(to_jiffies(Duration::from_nanos(1)), 1);
        assert_eq!(to_jiffies(from_jiffies(25)), 25);
        assert_eq!(to_jiffies(Duration::MAX), Jiffies::MAX);
    }
}
