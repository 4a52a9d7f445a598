// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The output of the program in `kernel/user/`, and the reports of the kernel meanwhile.

use crate::kernel::splat::{Detector, Splat};
use anyhow::{ensure, Result};

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
    pub(super) happened: String,
    /// The reports of the kernel since the row before.
    pub(super) splats: Vec<Splat>,
}

impl Row {
    /// In words: what the kernel complains about, or else what is off. Of several reports, KASAN's
    /// say most.
    pub(super) fn outcome(&self) -> String {
        let mut splats = self.splats.iter();
        let first = splats.clone().next();
        match splats.find(|splat| splat.title.contains("KASAN")).or(first) {
            Some(splat) => splat.title.clone(),
            None if self.holds => "holds".to_owned(),
            None => format!("off: {}", self.happened),
        }
    }
}

/// A figure, as the program prints it.
#[derive(Debug, PartialEq)]
pub(super) struct Figure {
    pub(super) what: String,
    pub(super) value: String,
}

/// The output of a boot.
#[derive(Default)]
pub(super) struct Report {
    pub(super) rows: Vec<Row>,
    pub(super) figures: Vec<Figure>,
    /// The reports of the kernel since the last row.
    pub(super) rest: Vec<Splat>,
    /// Whether the program has come to its end.
    ended: bool,
    detector: Detector,
}

impl Report {
    /// Reads a line of the console. Returns it without the time before it, if it is of the program.
    pub(super) fn line<'a>(&mut self, line: &'a str) -> Option<&'a str> {
        let line = without_time(line);
        let Some(text) = line.strip_prefix(MARK) else {
            if !line.contains(FAULT) {
                self.detector.line(line);
            }
            return None;
        };

        let parts: Vec<&str> = text.splitn(4, ": ").collect();
        match parts.as_slice() {
            [verdict @ ("ok" | "off"), name, expected, happened] => self.rows.push(Row {
                holds: *verdict == "ok",
                name: (*name).to_owned(),
                expected: (*expected).to_owned(),
                happened: (*happened).to_owned(),
                splats: self.detector.take(),
            }),
            [what, value] => self.figures.push(Figure {
                what: (*what).to_owned(),
                value: (*value).to_owned(),
            }),
            _ => self.ended |= text == "end",
        }
        Some(line)
    }

    /// Takes the reports that came after the last row. The console is closed.
    pub(super) fn finish(mut self) -> Self {
        self.rest = self.detector.take();
        self
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

    /// Fails if a row is missing or off, or if the kernel complains.
    pub(super) fn judge(&self) -> Result<()> {
        let off: Vec<_> = self.rows.iter().filter(|row| !row.holds).collect();
        let splats = self.rows.iter().flat_map(|row| &row.splats);
        let splats: Vec<_> = splats.chain(&self.rest).collect();

        for splat in &splats {
            println!("{}\n", splat.lines.join("\n"));
        }
        self.ensure_complete()?;
        ensure!(splats.is_empty(), "the kernel complains");
        ensure!(
            off.is_empty(),
            "{} of {} rows are off",
            off.len(),
            self.rows.len()
        );
        Ok(())
    }

    /// Fails if the program has not come to its end.
    pub(super) fn ensure_complete(&self) -> Result<()> {
        ensure!(!self.rows.is_empty(), "the program has printed no row");
        ensure!(self.ended, "the program has not come to its end");
        Ok(())
    }
}

/// The picture that a line of the console asks to compare the screen with, by its seed.
pub(super) fn asked(line: &str) -> Option<usize> {
    let text = without_time(line).strip_prefix(MARK)?;
    let seed = text.strip_prefix(SCREEN)?.strip_suffix('.')?;

    seed.parse().ok()
}

/// A line of the console without the time that the kernel puts before it.
fn without_time(line: &str) -> &str {
    line.strip_prefix('[')
        .and_then(|rest| rest.split_once("] "))
        .map_or(line, |(_, text)| text)
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
    const END: &str = "device: end";
    const WARNING: &str = "[   1.0] WARNING: CPU: 0 PID: 1 at a.c";

    #[test]
    fn rows_and_figures_are_read() {
        let report = report(&[OK, "[ 1.0] device: unbind: 1.0 ms", OFF]);

        let [first, second] = &report.rows[..] else {
            panic!("{:?}", report.rows);
        };
        assert!(first.holds);
        assert_eq!(first.happened, "12 ms");
        assert_eq!(first.outcome(), "holds");
        assert!(!second.holds);
        assert_eq!(second.outcome(), "off: bind: No such device");
        let figure = Figure {
            what: "unbind".to_owned(),
            value: "1.0 ms".to_owned(),
        };
        assert_eq!(report.figures, [figure]);
    }

    #[test]
    fn what_the_kernel_says_belongs_to_the_row_that_ends_with_it() {
        let report = report(&[
            OK,
            "DMAR: [DMA Write NO_PASID] BUG: x",
            WARNING,
            OK,
            WARNING,
            END,
        ]);

        let found = report.rows.iter().map(|row| row.splats.len());
        assert_eq!(Vec::from_iter(found), [0, 1]);
        assert!(report.rows[1].outcome().contains("WARNING"));
        assert_eq!(report.rest.len(), 1);
        let of_two = self::report(&[WARNING, "BUG: KASAN: x", OK]);
        assert!(of_two.rows[0].outcome().contains("KASAN"));
    }

    #[test]
    fn what_is_off_or_missing_fails() {
        let error = |lines: &[&str]| report(lines).judge().unwrap_err().to_string();

        report(&[OK, END]).judge().unwrap();
        assert_eq!(error(&[]), "the program has printed no row");
        assert_eq!(error(&[END]), "the program has printed no row");
        assert_eq!(error(&[OK]), "the program has not come to its end");
        assert_eq!(error(&[OK, OFF, END]), "1 of 2 rows are off");
        assert_eq!(error(&[WARNING, OK, END]), "the kernel complains");
        assert_eq!(error(&[OK, END, WARNING]), "the kernel complains");
    }

    #[test]
    fn a_scenario_alone_has_a_row_whatever_comes_of_it() {
        let row = report(&[OK, END, WARNING]).alone("copy");
        assert!(row.holds);
        assert_eq!(row.splats.len(), 1);

        let row = report(&[WARNING]).alone("copy");
        assert!(!row.holds);
        assert_eq!(row.name, "copy");
        assert!(row.outcome().contains("WARNING"));
        assert_eq!(
            report(&[]).alone("copy").outcome(),
            "off: the kernel has died"
        );
    }

    #[test]
    fn looks_at_the_screen_are_asked_for_in_whole_lines() {
        assert_eq!(asked("[    1.000000] device: screen 128."), Some(128));
        assert_eq!(asked("device: screen 12"), None);
        assert_eq!(asked("device: screen ."), None);
        assert_eq!(asked("screen 128."), None);
        assert!(report(&["device: screen 128."]).figures.is_empty());
    }

    #[test]
    fn times_are_taken_off() {
        assert_eq!(without_time("[    1.000000] BUG: x"), "BUG: x");
        assert_eq!(without_time("BUG: x"), "BUG: x");
    }
}
