// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The rows that `kernel/bench/` prints on the console: one for each value.

use crate::kernel::run::Results;
use anyhow::{
    ensure,
    Context,
    Result, //
};
use std::{
    collections::BTreeSet,
    str::FromStr, //
};

/// What is in front of a row.
const MARK: &str = "# bench: ";

/// The header of what [`Rows::csv()`] returns.
pub(super) const HEADER: &str = "unit,what,how,n,round,value";

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// `ns`, `grace_periods`, `bytes`; `section` where one of what is executed begins; `too_long`
    /// if it was not measured, because it would have taken so many nanoseconds.
    pub(super) unit: String,
    pub(super) what: String,
    pub(super) how: String,
    pub(super) n: u64,
    pub(super) round: u64,
    pub(super) value: i64,
}

impl Row {
    /// As CSV, with another unit and value.
    fn with(&self, unit: &str, value: &str) -> String {
        let Self {
            what,
            how,
            n,
            round,
            ..
        } = self;
        format!("{unit},{what},{how},{n},{round},{value}")
    }
}

impl FromStr for Row {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let fields: Vec<&str> = text.trim_end().split(',').collect();
        let &[unit, what, how, n, round, value] = fields.as_slice() else {
            anyhow::bail!("not a row: {text}");
        };
        let number = || format!("not a row: {text}");

        Ok(Self {
            unit: unit.to_owned(),
            what: what.to_owned(),
            how: how.to_owned(),
            n: n.parse().with_context(number)?,
            round: round.parse().with_context(number)?,
            value: value.parse().with_context(number)?,
        })
    }
}

/// All rows of a boot.
#[derive(Debug, PartialEq)]
pub(super) struct Rows(Vec<Row>);

impl Rows {
    /// Reads what the tests have said. Fails if a row was lost.
    pub(super) fn of(results: &Results) -> Result<Self> {
        let tests = results.suites.iter().flat_map(|suite| &suite.parts);
        Self::read(tests.flat_map(|test| &test.notes).map(|line| line.as_str()))
    }

    fn read<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Self> {
        let mut rows = Vec::new();
        for line in lines {
            let Some((_, text)) = line.split_once(MARK) else {
                continue;
            };
            let (number, row) = text
                .split_once(',')
                .with_context(|| format!("not a row: {text}"))?;
            ensure!(
                number.parse() == Ok(rows.len()),
                "the console has lost a row in front of: {text}"
            );
            rows.push(row.parse::<Row>()?);
        }

        let end = rows.pop().context("the kernel has measured nothing")?;
        ensure!(
            end.unit == "end",
            "the kernel has not measured to the end: the last row is of {}",
            end.what
        );
        Ok(Self(rows))
    }

    /// All of them as CSV, and what was measured in parts in one row.
    pub(super) fn csv(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut parts = Vec::new();
        for row in &self.0 {
            match row.unit.as_str() {
                "section" => (),
                "part_ns" => parts.push(row.value.to_string()),
                _ => {
                    if !parts.is_empty() {
                        lines.push(row.with("part_ns", &parts.join(" ")));
                        parts.clear();
                    }
                    lines.push(row.with(&row.unit, &row.value.to_string()));
                }
            }
        }
        lines
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Row> {
        self.0.iter()
    }

    /// The values of something, in the order of rounds; none if it was not measured.
    pub(super) fn values(&self, unit: &str, what: &str, how: &str, n: u64) -> Vec<f64> {
        self.0
            .iter()
            .filter(|row| (row.unit.as_str(), row.what.as_str()) == (unit, what))
            .filter(|row| row.how == how && row.n == n)
            .map(|row| row.value as f64)
            .collect()
    }

    /// The one value of something.
    pub(super) fn one(&self, unit: &str, what: &str, how: &str, n: u64) -> Result<f64> {
        self.values(unit, what, how, n)
            .first()
            .copied()
            .with_context(|| format!("there is no row {unit},{what},{how},{n}"))
    }

    /// With how many its time was measured, or would have been too long.
    pub(super) fn numbers(&self, what: &str) -> Vec<u64> {
        self.distinct(|row| row.what == what)
    }

    /// The same, where it was done like this.
    pub(super) fn numbers_of(&self, what: &str, how: &str) -> Vec<u64> {
        self.distinct(|row| row.what == what && row.how == how)
    }

    fn distinct(&self, is_wanted: impl Fn(&Row) -> bool) -> Vec<u64> {
        let numbers: BTreeSet<u64> = self
            .0
            .iter()
            .filter(|row| ["ns", "too_long"].contains(&row.unit.as_str()) && is_wanted(row))
            .map(|row| row.n)
            .collect();
        numbers.into_iter().collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What a console says of these rows.
    pub(in super::super) fn rows(rows: &[&str]) -> Result<Rows> {
        let lines: Vec<String> = rows
            .iter()
            .chain(&["end,bench,plain,0,0,0"])
            .enumerate()
            .map(|(number, row)| format!("    # bench: {number},{row}"))
            .collect();
        Rows::read(lines.iter().map(String::as_str))
    }

    #[test]
    fn values_are_found() {
        let rows = rows(&[
            "ns,unbind,plain,1,0,20",
            "ns,unbind,plain,1,1,10",
            "ns,unbind,plain,400,0,30",
            "too_long,unbind,plain,1000,0,900",
        ])
        .unwrap();

        assert_eq!(rows.values("ns", "unbind", "plain", 1), [20.0, 10.0]);
        assert!(rows.values("ns", "unbind", "tried", 1).is_empty());
        assert_eq!(rows.one("ns", "unbind", "plain", 400).unwrap(), 30.0);
        assert!(rows.one("ns", "unbind", "plain", 1000).is_err());
        assert_eq!(rows.numbers("unbind"), [1, 400, 1000]);
    }

    #[test]
    fn parts_are_one_row() {
        let rows = rows(&[
            "section,unbind,plain,1,0,0",
            "part_ns,object,random,9,2,5",
            "part_ns,object,random,9,3,6",
            "ns,object,random,9,1,11",
            "ns,object,random,9,2,12",
        ]);

        assert_eq!(
            rows.unwrap().csv(),
            [
                "part_ns,object,random,9,1,5 6",
                "ns,object,random,9,1,11",
                "ns,object,random,9,2,12",
            ]
        );
    }

    #[test]
    fn other_lines_are_none_of_ours() {
        let lines = ["hello", "    # bench: 0,end,bench,plain,0,0,0", "ok 1 all"];
        assert_eq!(Rows::read(lines.into_iter()).unwrap(), Rows(Vec::new()));
    }

    #[test]
    fn a_row_that_is_missing_is_noticed() {
        let read = |lines: &[&str]| Rows::read(lines.iter().copied());
        let (a, b, end) = (
            "# bench: 0,ns,a,b,1,0,1",
            "# bench: 1,ns,a,b,1,1,1",
            "# bench: 2,end,bench,plain,0,0,0",
        );

        assert!(read(&[a, b, end]).is_ok());
        assert!(read(&[]).is_err());
        assert!(read(&[a, b]).is_err());
        assert!(read(&[a, end]).is_err());
        assert!(read(&[b, end]).is_err());
        assert!(read(&["# bench: 0,ns,a,b,1,0", end]).is_err());
        assert!(read(&["# bench: 0,ns,a,b,1,0,x", end]).is_err());
    }
}
