// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Rows that a benchmark prints, one for each value: the words that name the value, the round, and
//! the value, with commas between them. Their spread is that of the rounds.

use super::table::three_digits;
use anyhow::{ensure, Context, Result};
use std::fmt;

#[derive(Debug, PartialEq)]
pub(crate) struct Row {
    /// The words that name it: `ns,unbind,plain,100`.
    pub(crate) of: String,
    pub(crate) round: usize,
    pub(crate) value: f64,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{}", self.of, self.round, self.value)
    }
}

/// The rows of a run.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Rows(pub(crate) Vec<Row>);

impl Rows {
    /// Adds a row whose value has a name of so many words. Fails if an earlier round is missing.
    pub(crate) fn add(&mut self, line: &str, words: usize) -> Result<()> {
        let parse = || -> Option<(&str, usize, f64)> {
            let mut parts = line.trim_end().rsplitn(3, ',');
            let (value, round, of) = (parts.next()?, parts.next()?, parts.next()?);
            let is_name = of.split(',').count() == words;
            is_name.then_some((of, round.parse().ok()?, value.parse().ok()?))
        };
        let (of, round, value) = parse().with_context(|| format!("not a row: {line}"))?;
        let rounds = self.values(of).len();
        ensure!(round == rounds, "a round is missing before: {line}");
        self.push(of, value);
        Ok(())
    }

    /// Adds the value of the next round.
    pub(crate) fn push(&mut self, of: impl Into<String>, value: f64) {
        let of = of.into();
        let round = self.values(&of).len();
        self.0.push(Row { of, round, value });
    }

    /// The values of something, in the order of rounds; none if it was not measured.
    pub(crate) fn values(&self, of: &str) -> Vec<f64> {
        let rows = self.0.iter().filter(|row| row.of == of);
        rows.map(|row| row.value).collect()
    }

    /// The spread of these values, in units of `unit`.
    pub(crate) fn spread(&self, of: &str, unit: f64) -> Result<Spread> {
        Spread::new(&self.values(of), unit).with_context(|| format!("there are no rows of {of}"))
    }

    pub(crate) fn median(&self, of: &str) -> Result<f64> {
        Ok(self.spread(of, 1.0)?.median)
    }
}

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
        let [low, median, high] = [1, 2, 3].map(|quarters| {
            let index = (values.len() - 1) * quarters / 4;
            values[index] / unit
        });
        Ok(Self { median, low, high })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, low, high] = [self.median, self.low, self.high].map(three_digits);
        write!(f, "{median} ({low} to {high})")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Reads these rows, whose values have names of so many words.
    pub(crate) fn rows<'a>(lines: impl IntoIterator<Item = &'a str>, words: usize) -> Rows {
        let mut rows = Rows::default();
        for line in lines {
            rows.add(line, words).unwrap();
        }
        rows
    }

    #[test]
    fn rows_are_read_if_none_is_missing() {
        let mut rows = rows(["ns,a,0,1.5", "ns,b,0,2", "ns,a,1,2.5"], 2);

        assert_eq!(rows.values("ns,a"), [1.5, 2.5]);
        assert_eq!(rows.spread("ns,b", 0.5).unwrap().median, 4.0);
        assert!(rows.spread("ns,c", 1.0).is_err());
        assert_eq!(rows.0[2].to_string(), "ns,a,1,2.5");
        for line in [
            "ns,a,2",
            "ns,a,2,1,2",
            "ns,a,x,1",
            "ns,a,2,x",
            "",
            "ns,a,3,1",
            "ns,c,1,1",
        ] {
            assert!(rows.add(line, 2).is_err(), "{line}");
        }
    }

    #[test]
    fn the_spread_is_that_of_the_quartiles() {
        let spread = Spread::new(&[50.0, 10.0, 40.0, 20.0, 1000.0], 10.0).unwrap();
        assert_eq!(spread.to_string(), "4.00 (2.00 to 5.00)");
        assert!(Spread::new(&[], 1.0).is_err());
    }
}
