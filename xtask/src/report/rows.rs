// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Rows that a benchmark prints, one for each value: the words that name the value, the round, and
//! the value, with commas between them.

use anyhow::{Context, Result};
use std::str::FromStr;

/// A value, and `N` words that say of what.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row<const N: usize> {
    pub(crate) what: [String; N],
    pub(crate) round: usize,
    pub(crate) value: f64,
}

impl<const N: usize> FromStr for Row<N> {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let mut words = text.trim_end().split(',').map(str::to_owned);
            let what: Vec<_> = words.by_ref().take(N).collect();
            let (round, value) = (words.next()?, words.next()?);
            Some(Self {
                what: what.try_into().ok()?,
                round: round.parse().ok()?,
                value: value.parse().ok().filter(|_| words.next().is_none())?,
            })
        };
        parse().with_context(|| format!("not a row: {text}"))
    }
}

/// The rows of a run.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Rows<const N: usize>(pub(crate) Vec<Row<N>>);

impl<const N: usize> Rows<N> {
    /// The values of something, in the order of rounds; none if it was not measured.
    pub(crate) fn values(&self, what: [&str; N]) -> Vec<f64> {
        let rows = self.0.iter().filter(|row| row.what == what);
        rows.map(|row| row.value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read() {
        let rows = ["ns,a,0,1.5", "ns,b,0,2", "ns,a,1,2.5"];
        let rows = Rows::<2>(rows.map(|row| row.parse().unwrap()).to_vec());

        assert_eq!(rows.values(["ns", "a"]), [1.5, 2.5]);
        assert_eq!(rows.values(["ns", "c"]), [0.0; 0]);
        for text in ["ns,a,0", "ns,a,0,1,2", "ns,a,x,1", "ns,a,0,x", ""] {
            assert!(text.parse::<Row<2>>().is_err(), "{text}");
        }
    }
}
