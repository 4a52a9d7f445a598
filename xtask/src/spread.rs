// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is said of many values of one thing.

use anyhow::{
    ensure,
    Result, //
};

/// The middle of some values, and the middle of the halves below and above it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Spread {
    pub(crate) fn new(values: &[f64]) -> Result<Self> {
        ensure!(!values.is_empty(), "there are no values");
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        let at = |quarters: usize| values[(values.len() - 1) * quarters / 4];

        Ok(Self {
            median: at(2),
            low: at(1),
            high: at(3),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_that_of_the_quartiles() {
        let spread = Spread::new(&[5.0, 1.0, 4.0, 2.0, 100.0]).unwrap();

        let expected = Spread {
            median: 4.0,
            low: 2.0,
            high: 5.0,
        };
        assert_eq!(spread, expected);
        assert!(Spread::new(&[]).is_err());
    }
}
