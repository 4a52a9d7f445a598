// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The results of a compiler: a row of the table, and all that must not be.

use super::{checks::PARTS, left_out, said::Said, which::Which};
use crate::report::table::{self, Row};

/// The results of a compiler.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) which: Which,
    /// The version that rustc says it has.
    pub(super) release: String,
    /// The version of its package.
    pub(super) package: String,
    /// Whether each of [`PARTS`] builds.
    pub(super) builds: Vec<bool>,
    pub(super) said: Said,
}

impl Outcome {
    /// Of a compiler that has built nothing yet.
    pub(super) fn new(which: Which, release: String, package: String) -> Self {
        Self {
            which,
            release,
            package,
            builds: Vec::new(),
            said: Said::default(),
        }
    }

    /// Everything that must not be: errors, failed tests, and warnings. The compiler of the
    /// repository gives no warning, as the step `lints` of `docs/ci.md` proves.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults: Vec<_> = self.said.errors.iter().cloned().collect();
        faults.extend(self.said.warnings.iter().cloned());
        for ((part, _), _) in PARTS
            .iter()
            .zip(&self.builds)
            .filter(|(_, builds)| !**builds)
        {
            faults.push(format!("the {part} does not build"));
        }
        if self.said.failed > 0 {
            faults.push(format!("{} tests have failed", self.said.failed));
        }
        if self.said.passed == 0 {
            faults.push("no test has passed".to_owned());
        }
        faults
    }

    fn row(&self) -> Row {
        let builds = self.builds.iter().map(|builds| match builds {
            true => "builds",
            false => "**does not build**",
        });
        let tests = match (self.said.passed, self.said.failed) {
            (passed, 0) => format!("{passed} passed"),
            (passed, failed) => format!("{passed} passed, **{failed} failed**"),
        };
        let warnings = match self.said.warnings.len() {
            0 => "none".to_owned(),
            number => format!("**{number}**"),
        };

        let mut row = vec![
            format!("{}: rustc {}", self.which, self.release),
            format!("`{}`", self.package),
        ];
        row.extend(builds.map(str::to_owned));
        row.extend([tests, warnings]);
        row
    }
}

/// The table of all compilers, and the one of all tests that are left out.
pub(super) fn tables(outcomes: &[Outcome]) -> String {
    let mut header = vec!["compiler", "Debian's package"];
    header.extend(PARTS.map(|(part, _)| part));
    header.extend(["tests", "warnings"]);
    let mut rows = vec![table::cells(header)];
    rows.extend(outcomes.iter().map(Outcome::row));

    format!("{}\n{}", table::text(&rows), left_out::table())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A compiler with which everything is as it has to be.
    fn good() -> Outcome {
        let (release, package) = ("1.85.1".to_owned(), "1.85.1+dfsg1-1".to_owned());
        let mut outcome = Outcome::new(Which::Oldest, release, package);
        outcome.builds = vec![true; PARTS.len()];
        outcome.said.passed = 132;
        outcome
    }

    #[test]
    fn a_compiler_is_a_row() {
        let tables = tables(&[good()]);
        let rows: Vec<_> = tables.lines().collect();
        let words = |row: &str| row.split_whitespace().collect::<Vec<_>>().join(" ");

        assert_eq!(
            words(rows[0]),
            "| compiler | Debian's package | macro | library | printer | tests | warnings |"
        );
        assert_eq!(
            words(rows[2]),
            "| oldest: rustc 1.85.1 | `1.85.1+dfsg1-1` | builds | builds | builds \
             | 132 passed | none |"
        );
        assert!(tables.contains("| left out"), "{tables}");
        assert!(good().faults().is_empty());
    }

    #[test]
    fn faults_are_shown_and_fail() {
        let bad = |change: fn(&mut Outcome)| {
            let mut outcome = good();
            change(&mut outcome);
            (outcome.faults().len(), outcome.row().join(" | "))
        };

        let (faults, row) = bad(|it| {
            it.said.warnings.insert("warning: unused".to_owned());
        });
        assert!(faults == 1 && row.ends_with("132 passed | **1**"), "{row}");
        let (faults, row) = bad(|it| it.said.failed = 2);
        assert!(
            faults == 1 && row.contains("132 passed, **2 failed**"),
            "{row}"
        );
        let (faults, row) = bad(|it| it.builds[1] = false);
        assert!(
            faults == 1 && row.contains("builds | **does not build** |"),
            "{row}"
        );
        let (faults, _) = bad(|it| it.said.passed = 0);
        assert_eq!(faults, 1);
        let (faults, _) = bad(|it| {
            it.said.errors.insert("error: cannot find `a`".to_owned());
        });
        assert_eq!(faults, 1);
    }
}
