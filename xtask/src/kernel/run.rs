// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The console of a kernel, from the first line to the verdict.

use super::{
    ktap::{self, Outcome, Parser, Test},
    splat::{Splat, Verdict},
};
use anyhow::{ensure, Result};

/// Of what the console said during a test that failed, these many lines are printed.
const MAX_NOTES: usize = 60;

/// The line that `kernel/init/leaks` prints when it has done its work.
const SEARCHED: &str = "# leaks: searched";

/// The last line of kernels that halt after their tests, or that find no init.
const END: [&str; 3] = [
    "reboot: System halted",
    "Kernel panic - not syncing: VFS: Unable to mount root fs",
    "Kernel panic - not syncing: No working init found",
];

/// The name of a suite that stands for the reports before and after all suites.
const OUTSIDE: &str = "(outside of tests)";

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
    /// The problems of the run as a whole.
    pub(crate) problems: Vec<String>,
    /// Whether the kernel died before the end, which is one of the problems.
    pub(crate) died: bool,
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
            false => END.iter().any(|end| text.starts_with(end)),
        };
        if self.ended {
            return None;
        }

        let (suite, test) = self.parser.line(time, text)?;
        // The tests of a suite have been printed.
        (!suite.is_empty() || test.counts()).then(|| describe(suite, test))
    }

    /// Ends the run, because the kernel did, or because it was stopped for this reason.
    pub(crate) fn finish(self, stopped: Option<String>) -> Results {
        let (is_planned, all) = self.parser.finish();
        let mut results = Results {
            died: stopped.is_none() && !self.ended,
            suites: all.parts,
            problems: stopped.into_iter().collect(),
        };

        let problem = if !is_planned {
            "KUnit did not begin"
        } else if results.suites.is_empty() {
            "no test has this name"
        } else if results.died {
            "the kernel died before all was done"
        } else if results.tests().all(|(_, test)| test.is_skipped()) {
            "all tests were skipped"
        } else {
            ""
        };
        if !problem.is_empty() {
            results.problems.push(problem.to_owned());
        }

        let mut outside = Test::new(OUTSIDE, Outcome::Passed);
        let failing = all.splats.iter().filter(|splat| splat.fails());
        outside.notes = failing.flat_map(|splat| splat.lines.clone()).collect();
        outside.splats = all.splats;
        if outside.fails() {
            results.suites.push(outside);
        }
        results
    }
}

impl Results {
    /// Whether all is well.
    pub(crate) fn held(&self) -> bool {
        self.problems.is_empty() && !self.suites.iter().any(Test::fails)
    }

    /// All tests with their suites, and without a name each suite that is one more test.
    pub(crate) fn tests(&self) -> impl Iterator<Item = (&str, &Test)> {
        self.suites.iter().flat_map(|suite| {
            let own = suite.counts().then_some(("", suite));
            let tests = suite.parts.iter();
            tests.map(|test| (suite.name.as_str(), test)).chain(own)
        })
    }

    /// The text that [`Run::line`] has not returned, because no line came for it.
    pub(crate) fn rest(&self) -> String {
        let mut text = String::new();
        for (suite, test) in self.tests() {
            if test.outcome == Outcome::Missing || test.name == OUTSIDE {
                text += &describe(suite, test);
            }
        }
        for problem in &self.problems {
            text += &format!("FAIL {problem}\n");
        }

        text
    }
}

/// The name of a test, in front of it that of its suite if there is one.
pub(crate) fn name(suite: &str, test: &Test) -> String {
    match suite {
        "" => test.name.clone(),
        suite => format!("{suite}.{}", test.name),
    }
}

/// How many tests and reports there were.
fn sum(results: &[Results]) -> String {
    let tests: Vec<&Test> = results
        .iter()
        .flat_map(Results::tests)
        .map(|(_, test)| test)
        .collect();
    let failed = tests.iter().filter(|test| test.fails()).count();
    let skipped = tests.iter().filter(|test| test.is_skipped()).count();
    let passed = tests.len() - failed - skipped;
    let suites = results.iter().flat_map(|run| &run.suites);
    let splats: Vec<&Splat> = suites.flat_map(Test::all_splats).collect();
    let fail = splats.iter().filter(|splat| splat.fails()).count();
    let came = |verdict| {
        let splats = splats.iter().filter(|splat| splat.verdict == verdict);
        splats.count()
    };

    format!(
        "{passed} passed, {failed} failed, {skipped} skipped; \
         {fail} splats ({} announced, {} allowed)",
        came(Verdict::Expected),
        came(Verdict::Allowed)
    )
}

/// Prints the sum, and fails if a run has failed.
pub(crate) fn judge(results: &[Results]) -> Result<()> {
    println!("{}", sum(results));
    let failed = failures(results);
    if !failed.is_empty() {
        println!("failed: {}", failed.join(", "));
    }

    ensure!(results.iter().all(Results::held), "the run has failed");
    Ok(())
}

/// The names of what failed.
fn failures(results: &[Results]) -> Vec<String> {
    let tests = results.iter().flat_map(Results::tests);
    let failed = tests.filter(|(_, test)| test.fails());
    failed.map(|(suite, test)| name(suite, test)).collect()
}

/// The line about a test, and what there is to say if it failed.
pub(crate) fn describe(suite: &str, test: &Test) -> String {
    let mark = match test.outcome {
        _ if test.fails() => "FAIL",
        Outcome::Skipped(_) => "skip",
        _ => "ok  ",
    };
    let mut text = format!("{mark} {}", name(suite, test));
    match &test.outcome {
        Outcome::Skipped(why) if !why.is_empty() => text += &format!(": {why}"),
        Outcome::Missing => text += ": no result",
        _ => {}
    }
    // The parts of a suite have lines of their own.
    if !suite.is_empty() && !test.parts.is_empty() {
        text += &format!(", {} cases", test.parts.len());
    }
    match test.time.map(|time| time.as_secs_f64() * 1000.0) {
        Some(millis) if millis < 10.0 => text += &format!(" ({millis:.1} ms)"),
        Some(millis) => text += &format!(" ({millis:.0} ms)"),
        None => {}
    }
    text.push('\n');

    if test.fails() {
        text += &details(test, !suite.is_empty());
    } else {
        for result in test.results() {
            text += &format!("       {result}\n");
        }
    }
    text
}

/// The lines to print about a test that failed, with or without those about its cases.
fn details(test: &Test, cases: bool) -> String {
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
    for case in test.parts.iter().filter(|case| cases && case.fails()) {
        text += &format!("     case: {}\n{}", case.name, details(case, cases));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{super::ktap::tests::console, *};
    use std::time::Duration;

    const NO_INIT: &str = "Kernel panic - not syncing: VFS: Unable to mount root fs on 0\n";
    const A: &str = "ok 1 a";
    const B: &str = "ok 2 b";
    const OOPS: &str = "BUG: kernel NULL pointer dereference, address: 0\n";

    /// A suite of these tests that ends well.
    fn lazy(tests: &[&str], end: &str) -> String {
        console("lazy", tests, &format!("ok 1 lazy\n{end}"))
    }

    /// Returns the printed text, and the results.
    fn run(console: &str, stopped: Option<&str>) -> (String, Results) {
        let mut run = Run::new(false);
        let mut printed: String = console.lines().filter_map(|line| run.line(line)).collect();
        let results = run.finish(stopped.map(str::to_owned));
        printed += &results.rest();

        (printed, results)
    }

    #[test]
    fn tests_have_lines() {
        const REPORT: &str =
            "FAIL lazy.b\n       BUG: kernel NULL pointer dereference, address: 0\n     \
                              splat: BUG: kernel NULL pointer dereference, address: 0\n";
        let results = format!("# result: 1000 bindings\n# result:   0 left\n# binding 0\n{B}");
        let failed = "# b: ASSERTION FAILED at a.rs:1\nnot ok 2 b";
        let case = "        KTAP version 1\n        # Subtest: b\n\
                    # b: ASSERTION FAILED at a.rs:2\n    not ok 1 x\nnot ok 2 b";
        let announced = format!(
            "rust_kernel: # expect-splat: \"NULL pointer\"\n{OOPS}\
             rust_kernel: # end-expect-splat: \"NULL pointer\"\n{B}"
        );

        let mut runs = Vec::new();
        for (b, result, lines) in [
            (
                results.as_str(),
                "ok",
                "ok   lazy.b\n       1000 bindings\n         0 left\n",
            ),
            ("ok 2 b # SKIP why", "ok", "skip lazy.b: why\n"),
            (
                failed,
                "not ok",
                "FAIL lazy.b\n       # b: ASSERTION FAILED at a.rs:1\n",
            ),
            (
                case,
                "not ok",
                "FAIL lazy.b, 1 cases\n     case: x\n       # b: ASSERTION FAILED at a.rs:2\n",
            ),
            // A report belongs to the test that was running.
            (&format!("{OOPS}{B}"), "ok", REPORT),
            (&announced, "ok", "ok   lazy.b\n"),
            // A suite can fail by itself.
            (B, "not ok", "ok   lazy.b\nFAIL lazy\n"),
        ] {
            let end = format!("{result} 1 lazy\n{NO_INIT}");
            let (printed, results) = run(&console("lazy", &[A, b], &end), None);
            assert_eq!(printed, format!("ok   lazy.a\n{lines}"));
            assert_eq!(results.held(), !lines.contains("FAIL"));
            runs.push(results);
        }
        assert_eq!(failures(&runs).join(", "), "lazy.b, lazy.b, lazy.b, lazy");
        assert_eq!(
            sum(&runs),
            "10 passed, 4 failed, 1 skipped; 1 splats (1 announced, 0 allowed)"
        );
        for (micros, line) in [(9_940, "ok   a (9.9 ms)\n"), (30_000, "ok   a (30 ms)\n")] {
            let mut test = Test::new("a", Outcome::Passed);
            test.time = Some(Duration::from_micros(micros));
            assert_eq!(describe("", &test), line);
        }
    }

    #[test]
    fn a_report_outside_of_tests_fails_the_run() {
        for console in [
            format!("{OOPS}{}", lazy(&[A, B], NO_INIT)),
            lazy(&[A, B], &format!("{OOPS}{NO_INIT}")),
        ] {
            let (printed, results) = run(&console, None);
            let reported = "FAIL (outside of tests)\n       BUG: kernel NULL pointer dereference";
            assert!(printed.contains(reported), "{printed}");
            assert!(!results.held());
        }
        // Lines after the end are ignored.
        let after = lazy(&[A, B], &format!("{NO_INIT}{OOPS}"));
        assert!(run(&after, None).1.held());
    }

    #[test]
    fn leaks_are_reports_and_have_to_be_searched_for() {
        const LEAK: &str = "unreferenced object 0xffff888001234560 (size 104):\n  comm \"kunit\"\n";
        const SEARCHED: &str = "# leaks: searched\n[    9.900000] reboot: Power down\n";
        let results = |end: &str| {
            let mut run = Run::new(true);
            for line in lazy(&[A, B], end).lines() {
                run.line(line);
            }
            run.finish(None)
        };

        assert!(results(SEARCHED).held());
        let leaky = results(&format!("{LEAK}{LEAK}{SEARCHED}"));
        assert!(!leaky.held());
        assert!(sum(&[leaky]).contains("; 2 splats"));
        // There was no init, or it has failed.
        for end in [NO_INIT, "[    9.900000] reboot: Power down\n"] {
            assert!(results(end).died && !results(end).held());
        }
    }

    #[test]
    fn a_console_that_is_cut_off_does_not_hold() {
        let whole = lazy(&[A, B], NO_INIT);
        let last = "Unable to mount root fs";
        let end = whole.find(last).unwrap() + last.len();

        for at in 0..whole.len() {
            let (printed, results) = run(&whole[..at], None);
            assert_eq!(results.held(), at >= end, "{printed}");
            assert_eq!(printed.contains("FAIL"), at < end, "{printed}");
        }
    }

    #[test]
    fn a_run_can_have_problems() {
        let no_init = NO_INIT.replace("VFS: Unable to mount root fs", "No working init found");
        let no_test = format!("KTAP version 1\n1..0\n{NO_INIT}");
        let skipped = lazy(&["ok 1 a # SKIP no"], &no_init);
        let died = console("lazy", &[A, OOPS], "");
        let hangs = "no output for 180 s";

        for (console, stopped, problem) in [
            (NO_INIT, None, "KUnit did not begin"),
            (&no_test, None, "no test has this name"),
            (&skipped, None, "all tests were skipped"),
            (&died, None, "the kernel died before all was done"),
            (&lazy(&[A, B], NO_INIT), Some(hangs), hangs),
        ] {
            let (printed, results) = run(console, stopped);
            assert!(printed.ends_with(&format!("FAIL {problem}\n")), "{printed}");
            assert_eq!(results.problems, [problem]);
            assert!(!results.held());
            assert_eq!(results.died, problem.contains("died"));
            let crashed = "FAIL lazy.(number 2, the last) after `a`: no result";
            assert_eq!(printed.contains(crashed), results.died, "{printed}");
        }
    }
}
