// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The output of the program in `kernel/user/`, and the reports of the kernel meanwhile.

use crate::kernel::{
    ktap::timestamp,
    splat::{self, Splat},
};
use anyhow::{ensure, Result};
use std::mem;

/// The prefix of the program's lines.
const MARK: &str = "device: ";

/// The prefix of a line that asks for a look at the screen. The seed of a picture and a full stop
/// follow. Without the full stop, the line was cut off, and comes again.
const SCREEN: &str = "screen ";

/// The text in each line about a fault of the IOMMU. One scenario is about these faults.
const FAULT: &str = "DMAR: ";

/// A scenario, as the program prints it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) holds: bool,
    pub(super) name: String,
    pub(super) expected: String,
    happened: String,
    /// The reports of the kernel since the row before.
    pub(super) splats: Vec<Splat>,
}

impl Row {
    /// In words: what the kernel complains about, or else what is off. Of several reports, KASAN's
    /// say most.
    pub(super) fn outcome(&self) -> String {
        let is_kasan = |splat: &&Splat| splat.title.contains("KASAN");
        match self.splats.iter().find(is_kasan).or(self.splats.first()) {
            Some(splat) => splat.title.clone(),
            None if self.holds => "holds".to_owned(),
            None => format!("off: {}", self.happened),
        }
    }
}

/// The output of a boot.
#[derive(Default)]
pub(super) struct Report {
    pub(super) rows: Vec<Row>,
    /// Figures and their values.
    pub(super) figures: Vec<(String, String)>,
    /// The reports of the kernel since the last row.
    pub(super) rest: Vec<Splat>,
    /// Whether the program has come to its end.
    ended: bool,
    /// The lines of the kernel since the last row.
    lines: Vec<String>,
}

impl Report {
    /// Reads a line of the console. Returns it without the time before it, if it is of the program.
    pub(super) fn line<'a>(&mut self, line: &'a str) -> Option<&'a str> {
        let (_, line) = timestamp(line);
        let Some(text) = line.strip_prefix(MARK) else {
            if !line.contains(FAULT) {
                self.lines.push(line.to_owned());
            }
            return None;
        };

        let parts: Vec<&str> = text.splitn(4, ": ").collect();
        match parts[..] {
            [verdict @ ("ok" | "off"), name, expected, happened] => {
                let [name, expected, happened] = [name, expected, happened].map(str::to_owned);
                let splats = self.splats();
                self.rows.push(Row {
                    holds: verdict == "ok",
                    name,
                    expected,
                    happened,
                    splats,
                });
            }
            [what, value] => self.figures.push((what.to_owned(), value.to_owned())),
            ["end"] => self.ended = true,
            _ => {}
        }
        Some(line)
    }

    /// Takes the reports that came after the last row. The console is closed.
    pub(super) fn finish(mut self) -> Self {
        self.rest = self.splats();
        self
    }

    fn splats(&mut self) -> Vec<Splat> {
        splat::find("", &mem::take(&mut self.lines))
    }

    /// The row of a boot with this scenario alone, which the kernel may have died of.
    pub(super) fn alone(mut self, name: &str) -> Row {
        let mut row = self.rows.pop().unwrap_or_else(|| Row {
            holds: false,
            name: name.to_owned(),
            expected: String::new(),
            happened: "the kernel has died".to_owned(),
            splats: Vec::new(),
        });
        row.splats.extend(self.rest);
        row
    }

    /// Fails if the program has not come to its end.
    pub(super) fn ensure_complete(&self) -> Result<()> {
        ensure!(!self.rows.is_empty(), "the program has printed no row");
        ensure!(self.ended, "the program has not come to its end");
        Ok(())
    }

    /// The row of a scenario, if it was not left out.
    pub(super) fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// In words, what has come of a scenario.
    pub(super) fn cell(&self, name: &str) -> String {
        self.row(name).map_or("left out".to_owned(), Row::outcome)
    }

    /// The value of a figure.
    pub(super) fn figure(&self, what: &str) -> &str {
        let found = self.figures.iter().find(|(name, _)| name == what);
        found.map_or("-", |(_, value)| value)
    }
}

/// The picture that a line of the console asks to compare the screen with, by its seed.
pub(super) fn asked(line: &str) -> Option<usize> {
    let text = timestamp(line).1.strip_prefix(MARK)?;
    text.strip_prefix(SCREEN)?.strip_suffix('.')?.parse().ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Reads these lines as the output of a boot.
    pub(crate) fn report(lines: &[&str]) -> Report {
        let mut report = Report::default();
        for line in lines {
            report.line(line);
        }
        report.finish()
    }

    const OK: &str = "device: ok: copy: the same bytes come back: 12 ms";
    const OFF: &str = "device: off: bind: bound again: bind: No such device";
    const WARNING: &str = "[    1.000000] WARNING: CPU: 0 PID: 1 at a.c";

    #[test]
    fn rows_and_figures_are_read() {
        let fault = "DMAR: [DMA Write NO_PASID] BUG: x";
        let unbind = "[    1.000000] device: unbind: 1.0 ms";
        let report = report(&[
            OK,
            unbind,
            fault,
            OFF,
            WARNING,
            OK,
            WARNING,
            "BUG: KASAN: x",
            OK,
            WARNING,
        ]);

        let cells: Vec<String> = report.rows.iter().map(Row::outcome).collect();
        assert_eq!(
            cells,
            [
                "holds",
                "off: bind: No such device",
                "WARNING: CPU: 0 PID: 1 at a.c",
                "BUG: KASAN: x"
            ]
        );
        assert_eq!(report.row("bind").unwrap().expected, "bound again");
        assert_eq!(report.rows[0].happened, "12 ms");
        assert_eq!(report.figure("unbind"), "1.0 ms");
        assert_eq!(report.figures.len(), 1);
        assert_eq!(report.rest.len(), 1);
    }

    #[test]
    fn a_report_has_an_end() {
        let error = |lines: &[&str]| report(lines).ensure_complete().unwrap_err().to_string();

        report(&[OK, "device: end"]).ensure_complete().unwrap();
        assert_eq!(error(&["device: end"]), "the program has printed no row");
        assert_eq!(error(&[OK]), "the program has not come to its end");
    }

    #[test]
    fn a_scenario_alone_has_a_row_whatever_comes_of_it() {
        for (lines, holds, outcome) in [
            (&[OK, "device: end", WARNING][..], true, "WARNING: "),
            (&[WARNING], false, "WARNING: "),
            (&[], false, "off: the kernel has died"),
        ] {
            let row = report(lines).alone("copy");
            assert_eq!((row.name.as_str(), row.holds), ("copy", holds));
            assert!(row.outcome().starts_with(outcome));
        }
    }

    #[test]
    fn looks_at_the_screen_are_asked_for_in_whole_lines() {
        assert_eq!(asked("[    1.000000] device: screen 128."), Some(128));
        for line in ["device: screen 12", "device: screen .", "screen 128."] {
            assert_eq!(asked(line), None);
        }
        assert!(report(&["device: screen 128."]).figures.is_empty());
    }
}
