// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Spans of time. Stands for a part of `rust/kernel/time.rs`.

use super::{NSEC_PER_MSEC, NSEC_PER_SEC, NSEC_PER_USEC};
use core::{fmt, ops};

mod private {
    /// Keeps [`TimeUnit`](super::TimeUnit) to the units of this module.
    pub trait Sealed {}

    impl Sealed for super::Nsec {}
    impl Sealed for super::Jiffy {}
}

/// The unit of a [`Delta`].
pub trait TimeUnit: private::Sealed {
    /// The number of them.
    type Repr: Copy + fmt::Debug + Ord;
}

/// Nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Eq, Ord)]
pub enum Nsec {}

impl TimeUnit for Nsec {
    type Repr = i64;
}

/// The time unit of the scheduler.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Eq, Ord)]
pub enum Jiffy {}

impl TimeUnit for Jiffy {
    type Repr = isize;
}

/// A span of time, which may be negative.
#[derive(Copy, Clone, PartialEq, PartialOrd, Eq, Ord, Debug)]
pub struct Delta<U: TimeUnit = Nsec> {
    value: U::Repr,
}

impl Delta<Jiffy> {
    /// So many jiffies.
    #[inline]
    #[must_use]
    pub const fn from_jiffies(jiffies: isize) -> Self {
        Self { value: jiffies }
    }

    /// Returns how many jiffies these are.
    #[inline]
    #[must_use]
    pub const fn as_jiffies(self) -> isize {
        self.value
    }
}

impl ops::Add for Delta {
    type Output = Self;

    #[inline]
    fn add(self, rhs: Self) -> Self {
        Self::from_nanos(self.value + rhs.value)
    }
}

impl ops::AddAssign for Delta {
    #[inline]
    fn add_assign(&mut self, rhs: Self) {
        self.value += rhs.value;
    }
}

impl ops::Sub for Delta {
    type Output = Self;

    #[inline]
    fn sub(self, rhs: Self) -> Self::Output {
        Self::from_nanos(self.value - rhs.value)
    }
}

impl ops::SubAssign for Delta {
    #[inline]
    fn sub_assign(&mut self, rhs: Self) {
        self.value -= rhs.value;
    }
}

impl ops::Mul<i64> for Delta {
    type Output = Self;

    #[inline]
    fn mul(self, rhs: i64) -> Self::Output {
        Self::from_nanos(self.value * rhs)
    }
}

impl ops::MulAssign<i64> for Delta {
    #[inline]
    fn mul_assign(&mut self, rhs: i64) {
        self.value *= rhs;
    }
}

impl ops::Div for Delta {
    type Output = i64;

    #[inline]
    fn div(self, rhs: Self) -> Self::Output {
        self.value / rhs.value
    }
}

impl Delta {
    /// No time.
    pub const ZERO: Self = Self { value: 0 };

    /// So many nanoseconds.
    #[inline]
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self { value: nanos }
    }

    /// The given number of microseconds. A time that is out of range saturates.
    #[inline]
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self::from_nanos(micros.saturating_mul(NSEC_PER_USEC))
    }

    /// The given number of milliseconds. A time that is out of range saturates.
    #[inline]
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self::from_nanos(millis.saturating_mul(NSEC_PER_MSEC))
    }

    /// The given number of seconds. A time that is out of range saturates.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::time::Delta;
    ///
    /// assert_eq!(Delta::from_secs(2).as_millis(), 2_000);
    /// assert_eq!(Delta::from_secs(i64::MAX).as_nanos(), i64::MAX);
    /// ```
    #[inline]
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self::from_nanos(secs.saturating_mul(NSEC_PER_SEC))
    }

    /// Returns whether it is no time at all.
    #[inline]
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.value == 0
    }

    /// Returns whether it is negative.
    #[inline]
    #[must_use]
    pub fn is_negative(self) -> bool {
        self.value < 0
    }

    /// Returns it in nanoseconds.
    #[inline]
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.value
    }

    /// Returns it in microseconds, rounded up.
    #[inline]
    #[must_use]
    pub fn as_micros_ceil(self) -> i64 {
        let rest = self.value % NSEC_PER_USEC;
        self.value / NSEC_PER_USEC + i64::from(rest > 0)
    }

    /// Returns it in milliseconds, rounded towards zero.
    #[inline]
    #[must_use]
    pub fn as_millis(self) -> i64 {
        self.value / NSEC_PER_MSEC
    }

    /// Returns it in milliseconds, rounded up.
    #[inline]
    #[must_use]
    pub fn as_millis_ceil(self) -> i64 {
        let rest = self.value % NSEC_PER_MSEC;
        self.value / NSEC_PER_MSEC + i64::from(rest > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding() {
        for (nanos, millis, ceil) in [
            (0, 0, 0),
            (1, 0, 1),
            (1_000_000, 1, 1),
            (1_000_001, 1, 2),
            (-1, 0, 0),
            (-1_000_001, -1, -1),
            (i64::MAX, 9_223_372_036_854, 9_223_372_036_855),
        ] {
            let delta = Delta::from_nanos(nanos);
            assert_eq!((delta.as_millis(), delta.as_millis_ceil()), (millis, ceil));
        }
        assert_eq!(Delta::from_nanos(1_001).as_micros_ceil(), 2);
        assert_eq!(Delta::from_nanos(-1_001).as_micros_ceil(), -1);
        assert!(Delta::from_micros(i64::MIN).is_negative());
        assert!(Delta::ZERO.is_zero() && !Delta::from_nanos(1).is_zero());
        assert_eq!(Delta::from_jiffies(3).as_jiffies(), 3);
    }

    #[test]
    fn arithmetic() {
        let mut delta = Delta::from_nanos(7) + Delta::from_nanos(5);
        assert_eq!(delta, Delta::from_nanos(12));
        delta -= Delta::from_nanos(2);
        assert_eq!(delta, Delta::from_nanos(10));
        delta += Delta::from_nanos(1) - Delta::from_nanos(4);
        assert_eq!(delta, Delta::from_nanos(7));
        delta *= -3;
        assert_eq!(delta, Delta::from_nanos(7) * -3);
        assert_eq!(delta / Delta::from_nanos(2), -10);
    }
}
