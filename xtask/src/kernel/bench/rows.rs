// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The rows that `kernel/bench/` prints on the console: one for each value.
//!
//! Their words are a unit, what was done, how, and with how many. The unit is `ns`,
//! `grace_periods`, `bytes`; `section` where one of what is executed begins; `too_long` if it was
//! not measured, because it would have taken so many nanoseconds. Counts of the traced boot become
//! rows, too: of `calls`, and of `instructions`.

use crate::report::rows::{Rows, Spread};
use anyhow::{ensure, Context, Result};
use std::collections::BTreeSet;

/// The text in front of a row.
const MARK: &str = "# bench: ";

/// How many words name a value, and their titles.
pub(super) const WORDS: usize = 4;
pub(super) const TITLES: &str = "unit,what,how,n";

/// The units that say with how many something was done.
const COUNTED: [&str; 3] = ["ns", "too_long", "calls"];

/// Reads the lines of a console. Fails if a row was lost.
pub(super) fn read<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Rows> {
    let mut rows = Rows::default();
    for line in lines {
        let Some((_, text)) = line.split_once(MARK) else {
            continue;
        };
        let (number, row) = text.split_once(',').unwrap_or_default();
        ensure!(
            number.parse() == Ok(rows.0.len()),
            "the console has lost a row in front of: {text}"
        );
        rows.add(row, WORDS)?;
    }

    for row in &rows.0 {
        ensure!(number(&row.of).is_some(), "not a row: {row}");
    }
    let end = rows.0.pop().context("the kernel has measured nothing")?;
    ensure!(
        end.of.starts_with("end,"),
        "the kernel has not measured to the end: the last row is {end}"
    );
    Ok(rows)
}

/// The last word: with how many something was done.
fn number(of: &str) -> Option<u64> {
    of.rsplit(',').next()?.parse().ok()
}

impl Rows {
    /// The names of the sections, in order: what is executed, how, and with how many.
    pub(super) fn sections(&self) -> impl Iterator<Item = &str> {
        let names = self.0.iter().map(|row| row.of.strip_prefix("section,"));
        names.flatten()
    }

    /// The spread, for each of `n`, of something that is done with one number only:
    /// `bytes,slot,inline`.
    pub(super) fn each(&self, of: &str, unit: f64) -> Result<Spread> {
        let mut names = self.0.iter().filter_map(|row| row.of.rsplit_once(','));
        let (_, n) = names
            .find(|(name, _)| *name == of)
            .with_context(|| format!("there is no row {of}"))?;
        self.spread(&format!("{of},{n}"), unit * n.parse::<f64>()?)
    }

    /// With how many the time of something, `unbind` or `unbind,plain`, was measured or would have
    /// been too long, or its calls were counted.
    pub(super) fn numbers(&self, of: &str) -> BTreeSet<u64> {
        let counted = COUNTED.map(|unit| format!("{unit},{of},"));
        let is_counted = |row: &str| counted.iter().any(|it| row.starts_with(it));
        let rows = self.0.iter().filter(|row| is_counted(&row.of));
        rows.filter_map(|row| number(&row.of)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_is_missing_is_noticed() {
        let read = |lines: &[&str]| read(lines.iter().copied());
        let (a, b, end) = (
            "    # bench: 0,ns,a,b,1,0,1",
            "    # bench: 1,ns,a,b,1,1,1",
            "    # bench: 2,end,bench,plain,0,0,0",
        );

        // Other lines are none of ours.
        assert_eq!(read(&["hello", a, b, end, "ok 1 all"]).unwrap().0.len(), 2);
        for lost in [
            &[] as &[&str],
            &[a, b],
            &[a, end],
            &[b, end],
            &[
                "# bench: 0,ns,a,b,x,0,1",
                "# bench: 1,end,bench,plain,0,0,0",
            ],
        ] {
            assert!(read(lost).is_err(), "{lost:?}");
        }
    }
}
