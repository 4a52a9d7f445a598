// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Delays.
//!
//! Stands for `rust/kernel/time/delay.rs`. C headers: `include/linux/delay.h` and
//! `include/asm-generic/delay.h`.

use super::Delta;
use crate::fault;
use std::{
    hint, thread,
    time::{Duration, Instant},
};

/// The longest sleep: `i32::MAX` microseconds, about 36 minutes.
const MAX_SLEEP: Delta = Delta::from_micros(i32::MAX as i64);

/// The longest wait without sleep: `MAX_UDELAY_MS`, 5 milliseconds.
const MAX_DELAY: Delta = Delta::from_millis(5);

/// Sleeps for at least so long: `fsleep()`. A span that is negative or longer than `i32::MAX`
/// microseconds is that long.
///
/// # Context
///
/// Sleeps.
#[track_caller]
pub fn fsleep(delta: Delta) {
    fault::might_sleep("fsleep");
    thread::sleep(in_range(delta, MAX_SLEEP));
}

/// Waits for at least so long, without sleeping: `udelay()`. A span that is negative or longer than
/// 5 milliseconds is that long.
///
/// # Panics
///
/// With debug assertions, if `delta` is negative, or longer than that.
pub fn udelay(delta: Delta) {
    debug_assert!(!delta.is_negative());
    debug_assert!(delta <= MAX_DELAY);

    let (begin, delay) = (Instant::now(), in_range(delta, MAX_DELAY));
    while begin.elapsed() < delay {
        hint::spin_loop();
    }
}

/// The span, or the longest one if it is out of range.
fn in_range(delta: Delta, longest: Delta) -> Duration {
    let delta = if (Delta::ZERO..=longest).contains(&delta) {
        delta
    } else {
        longest
    };
    Duration::from_nanos(delta.as_nanos().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_the_longest() {
        assert_eq!(
            in_range(Delta::from_nanos(7), MAX_SLEEP),
            Duration::from_nanos(7)
        );
        for delta in [Delta::from_nanos(-1), Delta::from_secs(i64::MAX)] {
            assert_eq!(
                in_range(delta, MAX_SLEEP),
                Duration::from_micros(i32::MAX as u64)
            );
            assert_eq!(in_range(delta, MAX_DELAY), Duration::from_millis(5));
        }
    }

    #[test]
    fn it_takes_that_long() {
        let begin = Instant::now();
        udelay(Delta::from_micros(300));
        fsleep(Delta::from_micros(700));
        assert!(begin.elapsed() >= Duration::from_millis(1));
    }
}
