// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The console of a kernel, from the first line to the verdict.

use super::{
    ktap::{self, Outcome, Parser, Test},
    splat::{self, Splat, Verdict},
};
use anyhow::{ensure, Result};
use std::{fmt, time::Duration};

/// Of what the console said during a test that failed, these many lines are printed.
const MAX_NOTES: usize = 60;

/// The prefix of a line that a test prints for people to read, also if all is well.
const RESULT: &str = "# result: ";

/// The line that `kernel/init/leaks` prints when it has done its work.
const SEARCHED: &str = "# leaks: searched";

/// A run that is going on.
#[derive(Default)]
pub(crate) struct Run {
    parser: Parser,
    leaks: bool,
    ended: bool,
}

/// A run that is over.
pub(crate) struct Results {
    pub(crate) suites: Vec<Test>,
    /// The reports of the kernel before and after all suites.
    pub(crate) outside: Vec<Splat>,
    /// The problems of the run as a whole.
    pub(crate) problems: Vec<String>,
    /// Whether the kernel died before the end, which is one of the problems.
    pub(crate) died: bool,
}

/// How many of them there were.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    /// Reports that fail the run.
    pub(crate) splats: usize,
    /// Reports that were announced, and came.
    pub(crate) expected: usize,
    /// Reports that the tree's own tests are allowed.
    pub(crate) allowed: usize,
}

impl Run {
    /// A run that ends with a search for leaks, or else where the kernel finds no init.
    pub(crate) fn new(leaks: bool) -> Self {
        Self {
            leaks,
            ..Self::default()
        }
    }

    /// Reads a line. Returns what there is to print about it.
    pub(crate) fn line(&mut self, line: &str) -> Option<String> {
        let (time, text) = ktap::timestamp(line);
        self.ended |= match self.leaks {
            true => text.starts_with(SEARCHED),
            false => splat::is_end(text),
        };
        if self.ended {
            return None;
        }

        let (suite, test) = self.parser.line(time, text)?;
        // The tests of a suite have been printed.
        (!suite.is_empty() || test.counts()).then(|| format(suite, test))
    }

    /// Ends the run, because the kernel did, or because it was stopped for this reason.
    pub(crate) fn finish(self, stopped: Option<String>) -> Results {
        let found = self.parser.finish();
        let mut results = Results {
            suites: found.suites,
            outside: found.outside,
            problems: stopped.into_iter().collect(),
            died: false,
        };

        let counts = Counts::of(&results);
        let problem = if !found.planned {
            "KUnit did not begin"
        } else if results.suites.is_empty() {
            "no test has this name"
        } else if results.problems.is_empty() && !self.ended {
            results.died = true;
            "the kernel died before all was done"
        } else if counts.skipped > 0 && counts.passed + counts.failed == 0 {
            "all tests were skipped"
        } else {
            return results;
        };
        results.problems.push(problem.to_owned());
        results
    }
}

impl Results {
    /// Whether all is well.
    pub(crate) fn held(&self) -> bool {
        let counts = Counts::of(self);
        self.problems.is_empty() && counts.failed == 0 && counts.splats == 0
    }

    /// The reports before and after all suites that fail the run.
    pub(crate) fn complaints(&self) -> impl Iterator<Item = &Splat> {
        self.outside.iter().filter(|splat| splat.fails())
    }

    /// The text that [`Run::line`] has not returned, because no line came for it.
    pub(crate) fn rest(&self) -> String {
        let mut text = String::new();
        for splat in self.complaints() {
            text += &format!("FAIL (outside of tests)\n     splat: {}\n", splat.title);
            for line in &splat.lines {
                text += &format!("       {}\n", line.trim_end());
            }
        }
        for suite in &self.suites {
            let tests = suite.parts.iter().map(|test| (suite.name.as_str(), test));
            for (suite, test) in [("", suite)].into_iter().chain(tests) {
                if test.outcome == Outcome::Missing {
                    text += &format(suite, test);
                }
            }
        }
        for problem in &self.problems {
            text += &format!("FAIL {problem}\n");
        }

        text
    }

    /// The names of what failed.
    fn failures(&self) -> Vec<String> {
        let mut names = Vec::new();
        for suite in self.suites.iter().filter(|suite| suite.fails()) {
            names.extend(suite.counts().then(|| suite.name.clone()));
            let failed = suite.parts.iter().filter(|test| test.fails());
            names.extend(failed.map(|test| format!("{}.{}", suite.name, test.name)));
        }

        names
    }
}

impl Counts {
    /// Counts the tests of all suites, and the reports.
    fn of(results: &Results) -> Self {
        let mut counts = Self::default();
        counts.add(results);
        counts
    }

    fn add(&mut self, results: &Results) {
        for suite in &results.suites {
            for test in suite.parts.iter().chain(suite.counts().then_some(suite)) {
                match &test.outcome {
                    _ if test.fails() => self.failed += 1,
                    Outcome::Skipped(_) => self.skipped += 1,
                    _ => self.passed += 1,
                }
            }
        }
        let in_suites = results.suites.iter().flat_map(Test::all_splats);
        for splat in results.outside.iter().chain(in_suites) {
            match splat.verdict {
                Verdict::Unexpected | Verdict::Absent => self.splats += 1,
                Verdict::Expected => self.expected += 1,
                Verdict::Allowed(_) => self.allowed += 1,
            }
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped; {} splats ({} announced, {} allowed)",
            self.passed, self.failed, self.skipped, self.splats, self.expected, self.allowed
        )
    }
}

/// Prints the sum, and fails if a run has failed.
pub(crate) fn judge(results: &[Results]) -> Result<()> {
    let mut counts = Counts::default();
    results.iter().for_each(|run| counts.add(run));
    println!("{counts}");
    let failures: Vec<String> = results.iter().flat_map(Results::failures).collect();
    if !failures.is_empty() {
        println!("failed: {}", failures.join(", "));
    }

    ensure!(results.iter().all(Results::held), "the run has failed");
    Ok(())
}

/// The line about a test, and what there is to say if it failed.
fn format(suite: &str, test: &Test) -> String {
    let mark = match test.outcome {
        _ if test.fails() => "FAIL",
        Outcome::Skipped(_) => "skip",
        _ => "ok  ",
    };
    let mut text = match suite {
        "" => format!("{mark} {}", test.name),
        suite => format!("{mark} {suite}.{}", test.name),
    };

    match &test.outcome {
        Outcome::Skipped(why) if !why.is_empty() => text += &format!(": {why}"),
        Outcome::Missing => text += ": no result",
        _ => {}
    }
    // The parts of a suite have lines of their own.
    if !suite.is_empty() && !test.parts.is_empty() {
        text += &format!(", {} cases", test.parts.len());
    }
    if let Some(time) = test.time {
        text += &format!(" ({})", millis(time));
    }
    text.push('\n');

    if test.fails() {
        text += &details(test);
        if !suite.is_empty() {
            text += &cases(test);
        }
    } else {
        for note in &test.notes {
            if let Some((_, result)) = note.split_once(RESULT) {
                text += &format!("       {}\n", result.trim_end());
            }
        }
    }
    text
}

/// The lines to print about a test that failed.
fn details(test: &Test) -> String {
    let mut text = String::new();
    let left_out = test.notes.len().saturating_sub(MAX_NOTES);
    if left_out > 0 {
        text += &format!("       ({left_out} lines before)\n");
    }
    for note in &test.notes[left_out..] {
        text += &format!("       {}\n", note.trim_end());
    }
    for splat in test.splats.iter().filter(|splat| splat.fails()) {
        text += &format!("     splat: {}\n", splat.title);
    }

    text
}

/// The cases of a test that failed.
fn cases(test: &Test) -> String {
    let failed = test.parts.iter().filter(|case| case.fails());
    failed
        .map(|case| format!("     case: {}\n{}{}", case.name, details(case), cases(case)))
        .collect()
}

fn millis(time: Duration) -> String {
    match time.as_secs_f64() * 1000.0 {
        less if less < 10.0 => format!("{less:.1} ms"),
        more => format!("{more:.0} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: &str = "\
[    0.900000] /dev/root: Can't open blockdev
[    0.900000] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)
[    0.900000] CPU: 0 UID: 0 PID: 1 Comm: swapper/0
";

    /// A suite of these tests, which are lines of the console each, and how it went.
    fn console(tests: &[&str], result: &str) -> String {
        let results = tests
            .iter()
            .flat_map(|test| test.lines())
            .filter(|line| line.contains("ok "))
            .count();

        format!(
            "[    0.100000] KTAP version 1\n[    0.100000] 1..1\n\
             [    0.100000]     KTAP version 1\n[    0.100000]     # Subtest: lazy\n\
             [    0.100000]     1..{results}\n{}[    0.500000] {result} 1 lazy\n",
            tests.concat()
        )
    }

    /// Returns the printed text, and the results.
    fn run(console: &str, stopped: Option<&str>) -> (String, Results) {
        let mut run = Run::new(false);
        let mut printed: String = console.lines().filter_map(|line| run.line(line)).collect();
        let results = run.finish(stopped.map(str::to_owned));
        printed += &results.rest();

        (printed, results)
    }

    /// The same of a run that comes to its end with one suite.
    fn complete(tests: &[&str], result: &str) -> (String, Results) {
        run(&format!("{}{END}", console(tests, result)), None)
    }

    const A: &str = "[    0.112000]     ok 1 a\n";
    const B: &str = "[    0.212000]     ok 2 b\n";
    const OOPS: &str = "[    0.150000] BUG: kernel NULL pointer dereference, address: 0\n";

    #[test]
    fn a_run_holds() {
        let (printed, results) = complete(&[A, B], "ok");

        assert_eq!(printed, "ok   lazy.a (12 ms)\nok   lazy.b (100 ms)\n");
        assert!(results.held());
        assert_eq!(Counts::of(&results).passed, 2);
        let mut twice = Counts::of(&results);
        twice.add(&results);
        assert_eq!(
            twice.to_string(),
            "4 passed, 0 failed, 0 skipped; 0 splats (0 announced, 0 allowed)"
        );
    }

    #[test]
    fn a_failure_comes_with_what_was_said() {
        let failed = "[    0.200000]     # b: ASSERTION FAILED at a.rs:1\n\
                      [    0.212000]     not ok 2 b\n";
        let (printed, results) = complete(&[A, failed], "not ok");

        assert_eq!(
            printed,
            "ok   lazy.a (12 ms)\nFAIL lazy.b (100 ms)\n           \
             # b: ASSERTION FAILED at a.rs:1\n"
        );
        assert!(!results.held());
        assert_eq!(results.failures(), ["lazy.b"]);
    }

    #[test]
    fn results_are_printed_of_what_passes() {
        let a = format!(
            "[    0.110000]     # result: 1000 bindings\n\
             [    0.110000]     # result:   0 left\n\
             [    0.111000]     # binding 0\n{A}"
        );
        let (printed, _) = complete(&[&a, B], "ok");

        assert_eq!(
            printed,
            "ok   lazy.a (12 ms)\n       1000 bindings\n         0 left\nok   lazy.b (100 ms)\n"
        );
    }

    #[test]
    fn a_report_fails_the_test_that_was_running() {
        let (printed, results) = complete(&[A, OOPS, B], "ok");

        assert!(printed.contains("FAIL lazy.b"), "{printed}");
        assert!(
            printed.contains("     splat: BUG: kernel NULL pointer dereference, address: 0\n"),
            "{printed}"
        );
        assert!(!results.held());
        assert_eq!(
            Counts::of(&results),
            Counts {
                passed: 1,
                failed: 1,
                splats: 1,
                ..Counts::default()
            }
        );
    }

    #[test]
    fn a_report_outside_of_tests_fails_the_run() {
        let tests = console(&[A, B], "ok");

        for console in [format!("{OOPS}{tests}{END}"), format!("{tests}{OOPS}{END}")] {
            let (printed, results) = run(&console, None);
            assert!(printed.contains("FAIL (outside of tests)"), "{printed}");
            assert!(!results.held());
        }
        // Lines after the end are ignored.
        assert!(run(&format!("{tests}{END}{OOPS}"), None).1.held());
    }

    #[test]
    fn leaks_are_reports_and_have_to_be_searched_for() {
        const LEAK: &str = "unreferenced object 0xffff888001234560 (size 104):\n  comm \"kunit\"\n";
        const SEARCHED: &str = "# leaks: searched\n[    9.900000] reboot: Power down\n";
        let results = |end: &str| {
            let mut run = Run::new(true);
            for line in format!("{}{end}", console(&[A, B], "ok")).lines() {
                run.line(line);
            }
            run.finish(None)
        };

        assert!(results(SEARCHED).held());
        let leaky = results(&format!("{LEAK}{LEAK}{SEARCHED}"));
        assert!(!leaky.held());
        assert_eq!(Counts::of(&leaky).splats, 2);
        // There was no init, or it has failed.
        for end in [END, "[    9.900000] reboot: Power down\n"] {
            assert!(results(end).died && !results(end).held());
        }
    }

    #[test]
    fn an_announced_report_does_not_fail_it() {
        let announced = format!(
            "[    0.140000] rust_kernel: # expect-splat: \"NULL pointer\"\n{OOPS}\
             [    0.160000] rust_kernel: # end-expect-splat: \"NULL pointer\"\n"
        );
        let (_, results) = complete(&[A, &announced, B], "ok");

        assert!(results.held());
        assert_eq!(Counts::of(&results).expected, 1);
    }

    #[test]
    fn a_crash_is_not_the_end() {
        let died = format!(
            "[    0.100000] KTAP version 1\n[    0.100000] 1..1\n\
             [    0.100000]     KTAP version 1\n[    0.100000]     # Subtest: lazy\n\
             [    0.100000]     1..2\n{A}{OOPS}"
        );
        let (printed, results) = run(&died, None);

        assert!(printed.contains("FAIL lazy.(number 2, the last) after `a`: no result"));
        assert!(printed.contains("died before all was done"));
        assert!(!results.held());
        assert!(results.died);
    }

    #[test]
    fn a_console_that_is_cut_off_does_not_hold() {
        let whole = format!("{}{END}", console(&[A, B], "ok"));
        let last = "Unable to mount root fs";
        let end = whole.find(last).unwrap() + last.len();

        for at in 0..whole.len() {
            let (printed, results) = run(&whole[..at], None);
            assert_eq!(results.held(), at >= end, "{printed}");
            assert_eq!(printed.contains("FAIL"), at < end, "{printed}");
        }
    }

    #[test]
    fn no_tests_are_not_enough() {
        for (console, problem) in [
            (END.to_owned(), "KUnit did not begin"),
            (
                format!("KTAP version 1\n1..0\n{END}"),
                "no test has this name",
            ),
            (
                format!("{}{END}", console(&["    ok 1 a # SKIP no\n"], "ok")),
                "all tests were skipped",
            ),
        ] {
            let (printed, results) = run(&console, None);
            assert!(printed.contains(problem), "{printed}");
            assert!(!results.held());
        }
    }

    #[test]
    fn a_run_that_was_stopped_does_not_hold() {
        let (printed, results) = run(
            &format!("{}{END}", console(&[A, B], "ok")),
            Some("no output for 180 s"),
        );

        assert!(printed.contains("FAIL no output for 180 s"));
        assert!(!results.held());
    }

    #[test]
    fn a_suite_can_fail_by_itself() {
        let (printed, results) = complete(&[A, B], "not ok");

        assert!(printed.ends_with("FAIL lazy (400 ms)\n"), "{printed}");
        assert_eq!(results.failures(), ["lazy"]);
        assert_eq!(Counts::of(&results).failed, 1);
    }
}
