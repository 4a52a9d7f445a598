// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Clocks, and what they show. Stands for a part of `rust/kernel/time.rs`.

use super::Delta;
use crate::bindings;
use core::{marker::PhantomData, ops::Sub};

/// A clock.
///
/// # Safety
///
/// `ktime_get()` returns a value that is not negative.
pub unsafe trait ClockSource {
    /// The number of the clock: `clockid_t`.
    const ID: bindings::clockid_t;

    /// Returns what the clock shows, in nanoseconds, which is not negative.
    fn ktime_get() -> bindings::ktime_t;
}

/// The clock that goes on steadily, whatever happens to the time of day: `CLOCK_MONOTONIC`.
pub struct Monotonic;

// SAFETY: The time since the start of the program is not negative.
unsafe impl ClockSource for Monotonic {
    const ID: bindings::clockid_t = bindings::CLOCK_MONOTONIC;

    #[inline]
    fn ktime_get() -> bindings::ktime_t {
        // SAFETY: There are no requirements.
        unsafe { bindings::ktime_get() }
    }
}

/// A time that a clock has shown.
#[repr(transparent)]
#[derive(PartialEq, PartialOrd, Eq, Ord)]
pub struct Instant<C: ClockSource> {
    inner: bindings::ktime_t,
    _c: PhantomData<C>,
}

impl<C: ClockSource> Clone for Instant<C> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: ClockSource> Copy for Instant<C> {}

impl<C: ClockSource> Instant<C> {
    /// Returns what the clock shows now.
    #[inline]
    #[must_use]
    pub fn now() -> Self {
        Self {
            inner: C::ktime_get(),
            _c: PhantomData,
        }
    }

    /// Returns how long ago this was.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::time::{delay::fsleep, Delta, Instant, Monotonic};
    ///
    /// let begin = Instant::<Monotonic>::now();
    /// fsleep(Delta::from_millis(2));
    /// assert!(begin.elapsed() >= Delta::from_millis(2));
    /// ```
    #[inline]
    #[must_use]
    pub fn elapsed(&self) -> Delta {
        Self::now() - *self
    }
}

impl<C: ClockSource> Sub for Instant<C> {
    type Output = Delta;

    #[inline]
    fn sub(self, other: Instant<C>) -> Delta {
        // Neither is negative, so this does not overflow.
        Delta::from_nanos(self.inner - other.inner)
    }
}
