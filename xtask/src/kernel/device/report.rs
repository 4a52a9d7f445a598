// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The output of the program in `kernel/user/`: a test for each scenario, named by the scenario and
//! what has to hold, with the reports of the kernel meanwhile.

use crate::kernel::{
    ktap::{timestamp, Outcome, Parser, Test},
    splat::Splat,
};

/// The prefix of a line that asks for a look at the screen. The seed of a picture and a full stop
/// follow. Without the full stop, the line was cut off, and comes again.
const SCREEN: &str = "# screen ";

/// The output of a boot.
pub(super) struct Report {
    pub(super) rows: Vec<Test>,
    /// The reports of the kernel before the first row, and since the last one.
    pub(super) rest: Vec<Splat>,
    /// Whether all that was planned has come.
    is_complete: bool,
}

impl Report {
    /// Takes all that was read. The console is closed.
    pub(super) fn new(parser: Parser) -> Self {
        let (is_planned, all) = parser.finish();
        let is_missing = |row: &Test| row.outcome == Outcome::Missing;
        Self {
            is_complete: is_planned && !all.parts.iter().any(is_missing),
            rows: all.parts,
            rest: all.splats,
        }
    }

    /// The row of a boot with this scenario alone, which the kernel may have died of.
    pub(super) fn alone(mut self, name: &str) -> Test {
        let died = || Test::new("", Outcome::Missing);
        let mut row = self.rows.pop().unwrap_or_else(died);
        if row.outcome == Outcome::Missing {
            name.clone_into(&mut row.name);
        }
        row.splats.extend(self.rest);
        row
    }

    /// Says if the program has not come to its end.
    pub(super) fn incomplete(&self) -> Option<&'static str> {
        match (self.rows.is_empty(), self.is_complete) {
            (true, _) => Some("the program has printed no row"),
            (_, false) => Some("the program has not come to its end"),
            _ => None,
        }
    }

    /// The row of a scenario, if it was not left out.
    pub(super) fn row(&self, name: &str) -> Option<&Test> {
        self.rows.iter().find(|row| names(row).0 == name)
    }

    /// In words, what has come of a scenario: what the kernel complains about, or else what is off.
    /// Of several reports, KASAN's say most.
    pub(super) fn cell(&self, name: &str) -> String {
        let Some(row) = self.row(name) else {
            return "left out".to_owned();
        };
        let is_kasan = |splat: &&Splat| splat.title.contains("KASAN");
        let splat = row.splats.iter().find(is_kasan).or(row.splats.first());
        let why = format!("# {name}: ");
        let why = row.notes.iter().find_map(|note| note.strip_prefix(&why));
        match (splat, &row.outcome) {
            (Some(splat), _) => splat.title.clone(),
            (None, Outcome::Passed) => "holds".to_owned(),
            (None, Outcome::Missing) => "off: the kernel has died".to_owned(),
            (None, _) => format!("off: {}", why.unwrap_or("without a reason")),
        }
    }

    /// The figures, and their values.
    pub(super) fn figures(&self) -> impl Iterator<Item = (&str, &str)> {
        let results = self.rows.iter().flat_map(Test::results);
        results.filter_map(|result| result.rsplit_once(": "))
    }
}

/// The name of a scenario, and what has to hold.
pub(super) fn names(row: &Test) -> (&str, &str) {
    row.name.split_once(": ").unwrap_or((&row.name, ""))
}

/// The picture that a line of the console asks to compare the screen with, by its seed.
pub(super) fn asked(line: &str) -> Option<usize> {
    let text = timestamp(line).1.strip_prefix(SCREEN)?;
    text.strip_suffix('.')?.parse().ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Reads these lines as the output of a boot with so many scenarios.
    pub(crate) fn report(planned: usize, lines: &[&str]) -> Report {
        let mut parser = Parser::default();
        let plan = format!("1..{planned}");
        for line in ["KTAP version 1", &plan].iter().chain(lines) {
            parser.line(None, line);
        }
        Report::new(parser)
    }

    const OK: &str = "ok 1 copy: the same bytes come back";
    const WARNING: &str = "WARNING: CPU: 0 PID: 1 at a.c";

    #[test]
    fn rows_and_figures_are_read() {
        let report = report(
            4,
            &[
                "ok 1 a: b",
                "# result: unbind: 1.0 ms",
                "# bind: bind: No such device",
                "not ok 2 bind: bound again",
                WARNING,
                "ok 3 c: d",
                WARNING,
                "BUG: KASAN: x",
                "ok 4 e: f",
                WARNING,
            ],
        );

        for (name, cell) in [
            ("a", "holds"),
            ("bind", "off: bind: No such device"),
            ("c", WARNING),
            ("e", "BUG: KASAN: x"),
            ("g", "left out"),
        ] {
            assert_eq!(report.cell(name), cell);
        }
        assert_eq!(names(&report.rows[1]), ("bind", "bound again"));
        assert_eq!(report.figures().collect::<Vec<_>>(), [("unbind", "1.0 ms")]);
        assert_eq!(report.rest.len(), 1);
        assert_eq!(report.incomplete(), None);
    }

    #[test]
    fn a_report_has_an_end() {
        let incomplete = |planned, lines: &[&str]| report(planned, lines).incomplete();
        let (none, unfinished) = (incomplete(0, &[]), incomplete(2, &[OK]));
        assert_eq!(none, Some("the program has printed no row"));
        assert_eq!(unfinished, Some("the program has not come to its end"));
    }

    #[test]
    fn a_scenario_alone_has_a_row_whatever_comes_of_it() {
        for (lines, outcome, reports) in [
            (&[OK, WARNING][..], Outcome::Passed, 1),
            (&[WARNING], Outcome::Missing, 1),
            (&[], Outcome::Missing, 0),
        ] {
            let row = report(1, lines).alone("copy");
            assert_eq!(names(&row).0, "copy");
            assert_eq!((&row.outcome, row.splats.len()), (&outcome, reports));
        }
    }

    #[test]
    fn looks_at_the_screen_are_asked_for_in_whole_lines() {
        assert_eq!(asked("[    1.000000] # screen 128."), Some(128));
        for line in ["# screen 12", "# screen .", "screen 128."] {
            assert_eq!(asked(line), None);
        }
    }
}
