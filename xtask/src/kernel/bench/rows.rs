// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The rows that `kernel/bench/` prints on the console: one for each value.

use crate::{kernel::run::Results, report::rows};
use anyhow::{ensure, Context, Result};
use std::collections::BTreeSet;

/// The text in front of a row.
const MARK: &str = "# bench: ";

/// The header of what [`Rows::csv()`] returns.
pub(super) const HEADER: &str = "unit,what,how,n,round,value";

/// A value: its unit, what was done, how, and with how many.
///
/// The unit is `ns`, `grace_periods`, `bytes`; `section` where one of what is executed begins;
/// `too_long` if it was not measured, because it would have taken so many nanoseconds.
type Row = rows::Row<4>;

/// All rows of a boot.
#[derive(Debug, PartialEq)]
pub(super) struct Rows(rows::Rows<4>);

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
            let row: Row = row.parse()?;
            ensure!(row.what[3].parse::<u64>().is_ok(), "not a row: {text}");
            rows.push(row);
        }

        let end = rows.pop().context("the kernel has measured nothing")?;
        let [unit, what, ..] = &end.what;
        ensure!(
            unit == "end",
            "the kernel has not measured to the end: the last row is of {what}"
        );
        Ok(Self(rows::Rows(rows)))
    }

    /// The values as CSV.
    pub(super) fn csv(&self) -> impl Iterator<Item = String> + '_ {
        let values = self.0 .0.iter().filter(|row| row.what[0] != "section");
        values.map(|row| format!("{},{},{}", row.what.join(","), row.round, row.value))
    }

    /// The names of the sections, in order: what is executed, how, and with how many.
    pub(super) fn sections(&self) -> impl Iterator<Item = [String; 3]> + '_ {
        self.0 .0.iter().filter_map(|row| match &row.what {
            [unit, what @ ..] if unit == "section" => Some(what.clone()),
            _ => None,
        })
    }

    /// The values of something, in the order of rounds; none if it was not measured.
    pub(super) fn values(&self, unit: &str, what: &str, how: &str, n: u64) -> Vec<f64> {
        self.0.values([unit, what, how, &n.to_string()])
    }

    /// The one value of something for each of as many as it was measured with.
    pub(super) fn each(&self, unit: &str, what: &str, how: &str) -> Result<f64> {
        let row = self
            .0
             .0
            .iter()
            .find(|row| row.what[..3] == [unit, what, how]);
        let each = row.and_then(|row| Some(row.value / row.what[3].parse::<f64>().ok()?));
        each.with_context(|| format!("there is no row {unit},{what},{how}"))
    }

    /// With how many its time was measured, or would have been too long.
    pub(super) fn numbers(&self, what: &str) -> Vec<u64> {
        self.distinct(|row| row.what[1] == what)
    }

    /// The same, where it was done like this.
    pub(super) fn numbers_of(&self, what: &str, how: &str) -> Vec<u64> {
        self.distinct(|row| row.what[1] == what && row.what[2] == how)
    }

    fn distinct(&self, is_wanted: impl Fn(&Row) -> bool) -> Vec<u64> {
        let is_timed = |row: &&Row| ["ns", "too_long"].contains(&row.what[0].as_str());
        let rows = self.0 .0.iter().filter(is_timed);
        let numbers = rows.filter(|row| is_wanted(row));
        let numbers: BTreeSet<u64> = numbers.filter_map(|row| row.what[3].parse().ok()).collect();
        numbers.into_iter().collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Reads these rows from a console.
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
            "bytes,object,created,10,0,15",
        ])
        .unwrap();

        assert_eq!(rows.values("ns", "unbind", "plain", 1), [20.0, 10.0]);
        assert!(rows.values("ns", "unbind", "tried", 1).is_empty());
        assert!(rows.values("ns", "unbind", "plain", 1000).is_empty());
        assert_eq!(rows.each("bytes", "object", "created").unwrap(), 1.5);
        assert!(rows.each("bytes", "object", "populated").is_err());
        assert_eq!(rows.numbers("unbind"), [1, 400, 1000]);
        assert_eq!(rows.numbers_of("unbind", "tried"), [0; 0]);
    }

    #[test]
    fn sections_are_no_values() {
        let rows = rows(&["section,unbind,plain,1,0,0", "ns,object,random,9,1,11"]);
        let rows = rows.unwrap();

        let csv: Vec<_> = rows.csv().collect();
        assert_eq!(csv, ["ns,object,random,9,1,11"]);
        let sections: Vec<_> = rows.sections().collect();
        assert_eq!(sections, [["unbind", "plain", "1"]]);
    }

    #[test]
    fn other_lines_are_none_of_ours() {
        let lines = ["hello", "    # bench: 0,end,bench,plain,0,0,0", "ok 1 all"];
        let rows = Rows::read(lines.into_iter()).unwrap();
        assert_eq!(rows, Rows(rows::Rows(Vec::new())));
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
        assert!(read(&["# bench: 0,ns,a,b,x,0,1", end]).is_err());
    }
}
