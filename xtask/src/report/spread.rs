// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The median and the spread of many values of one thing.

use super::table::three_digits;
use anyhow::{ensure, Result};
use std::fmt;

/// The middle of some values, and the middle of the halves below and above it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Spread {
    /// Of values in units of `unit`.
    pub(crate) fn new(values: &[f64], unit: f64) -> Result<Self> {
        ensure!(!values.is_empty(), "there are no values");
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        let at = |quarters: usize| values[(values.len() - 1) * quarters / 4] / unit;

        Ok(Self {
            median: at(2),
            low: at(1),
            high: at(3),
        })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, low, high] = [self.median, self.low, self.high].map(three_digits);
        write!(f, "{median} ({low} to {high})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_that_of_the_quartiles() {
        let spread = Spread::new(&[50.0, 10.0, 40.0, 20.0, 1000.0], 10.0).unwrap();

        let expected = Spread {
            median: 4.0,
            low: 2.0,
            high: 5.0,
        };
        assert_eq!(spread, expected);
        assert_eq!(spread.to_string(), "4.00 (2.00 to 5.00)");
        assert!(Spread::new(&[], 1.0).is_err());
    }
}
