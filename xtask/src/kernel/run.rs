// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a kernel says on its console, from the first line to the verdict.

use super::{
    ktap::{
        self,
        Event,
        Outcome,
        Parser,
        Test, //
    },
    splat::{
        self,
        Detector,
        Splat,
        Verdict, //
    },
};
use std::{
    fmt::{
        self,
        Write, //
    },
    iter::Sum,
    ops::Add,
    time::Duration, //
};

/// Of what the console said during a test that failed, these many lines are printed.
const MAX_NOTES: usize = 60;

/// What a line begins with that a test prints for people to read, also if all is well.
const RESULT: &str = "# result: ";

/// A run that is going on.
#[derive(Default)]
pub(crate) struct Run {
    parser: Parser,
    detector: Detector,
    end: End,
    ended: bool,
}

/// What a run ends with, if all goes well.
#[derive(Clone, Copy, Default)]
pub(crate) enum End {
    /// The kernel looks for an init, and there is none.
    #[default]
    NoInit,
    /// `kernel/init/leaks` has done its work.
    LeaksSearched,
}

impl End {
    fn is_here(self, text: &str) -> bool {
        match self {
            Self::NoInit => splat::is_end(text),
            Self::LeaksSearched => text.starts_with("# leaks: searched"),
        }
    }
}

/// A run that is over.
pub(crate) struct Results {
    suites: Vec<Test>,
    /// What the kernel complained about before and after all suites.
    outside: Vec<Splat>,
    problems: Vec<Problem>,
}

/// What is wrong with a run as a whole.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Problem {
    /// It was stopped, for this reason.
    Stopped(String),
    NotBegun,
    NoTest,
    AllSkipped,
    /// The kernel died before the end.
    Died,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped(why) => why,
            Self::NotBegun => "KUnit did not begin",
            Self::NoTest => "no test has this name",
            Self::AllSkipped => "all tests were skipped",
            Self::Died => "the kernel died before all was done",
        })
    }
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
    /// A run that is to end like this.
    pub(crate) fn new(end: End) -> Self {
        Self {
            end,
            ..Self::default()
        }
    }

    /// Reads a line. Returns what there is to print about it.
    pub(crate) fn line(&mut self, line: &str) -> Option<String> {
        let (time, text) = ktap::timestamp(line);
        if self.ended {
            return None;
        }
        if self.end.is_here(text) {
            self.ended = true;
            return None;
        }

        if Parser::is_boundary(text) {
            self.parser.splats(self.detector.take());
        } else {
            self.detector.line(text);
        }
        match self.parser.line(time, text)? {
            Event::Test(suite, test) => Some(format(suite, test)),
            // What it is made of has been printed.
            Event::Suite(suite) if suite.counts() => Some(format("", suite)),
            Event::Suite(_) => None,
        }
    }

    /// Ends the run, because the kernel did, or because it was stopped for this reason.
    pub(crate) fn finish(mut self, stopped: Option<String>) -> Results {
        self.parser.splats(self.detector.take());
        let found = self.parser.finish();

        let mut problems: Vec<Problem> = stopped.into_iter().map(Problem::Stopped).collect();
        if !found.planned {
            problems.push(Problem::NotBegun);
        } else if found.suites.is_empty() {
            problems.push(Problem::NoTest);
        } else if problems.is_empty() && !self.ended {
            problems.push(Problem::Died);
        }

        let mut results = Results {
            suites: found.suites,
            outside: found.outside,
            problems,
        };
        let counts = results.counts();
        if counts.skipped > 0 && counts.passed + counts.failed == 0 {
            results.problems.push(Problem::AllSkipped);
        }
        results
    }
}

impl Results {
    /// Counts the tests of all suites, and the reports.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        counts.splats(&self.outside);

        for suite in &self.suites {
            counts.reports(suite);
            for test in suite.parts.iter().chain(suite.counts().then_some(suite)) {
                match &test.outcome {
                    _ if test.fails() => counts.failed += 1,
                    Outcome::Skipped(_) => counts.skipped += 1,
                    _ => counts.passed += 1,
                }
            }
        }

        counts
    }

    /// Whether all is well.
    pub(crate) fn held(&self) -> bool {
        let counts = self.counts();
        self.problems.is_empty() && counts.failed == 0 && counts.splats == 0
    }

    pub(crate) fn suites(&self) -> &[Test] {
        &self.suites
    }

    /// What the kernel complained about before and after all suites, and should not have.
    pub(crate) fn outside(&self) -> impl Iterator<Item = &Splat> {
        self.outside.iter().filter(|splat| splat.fails())
    }

    pub(crate) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// What [`Run::line`] has not returned, because no line came for it.
    pub(crate) fn rest(&self) -> String {
        let mut text = String::new();
        for splat in self.outside.iter().filter(|splat| splat.fails()) {
            text += "FAIL (outside of tests)\n";
            text += &format_splat(splat);
        }
        for suite in &self.suites {
            if suite.outcome == Outcome::Missing {
                text += &format("", suite);
            }
            for test in &suite.parts {
                if test.outcome == Outcome::Missing {
                    text += &format(&suite.name, test);
                }
            }
        }
        for problem in &self.problems {
            text += &format!("FAIL {problem}\n");
        }

        text
    }

    /// The names of what failed.
    pub(crate) fn failures(&self) -> Vec<String> {
        let mut names = Vec::new();
        for suite in &self.suites {
            if suite.fails() && suite.counts() {
                names.push(suite.name.clone());
            }
            for test in suite.parts.iter().filter(|test| test.fails()) {
                names.push(format!("{}.{}", suite.name, test.name));
            }
        }

        names
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
            splats: self.splats + other.splats,
            expected: self.expected + other.expected,
            allowed: self.allowed + other.allowed,
        }
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), Self::add)
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

impl Counts {
    /// Counts the reports of a test and of its parts.
    fn reports(&mut self, test: &Test) {
        self.splats(&test.splats);
        for part in &test.parts {
            self.reports(part);
        }
    }

    fn splats(&mut self, splats: &[Splat]) {
        for splat in splats {
            match splat.verdict {
                Verdict::Unexpected | Verdict::Absent => self.splats += 1,
                Verdict::Expected => self.expected += 1,
                Verdict::Allowed(_) => self.allowed += 1,
            }
        }
    }
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

/// What there is to say about a test that failed.
fn details(test: &Test) -> String {
    let mut text = String::new();
    if test.notes.len() > MAX_NOTES {
        text += &format!("       ({} lines before)\n", test.notes.len() - MAX_NOTES);
    }
    for note in test.notes.iter().rev().take(MAX_NOTES).rev() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "       {}", note.trim_end());
    }
    for splat in test.splats.iter().filter(|splat| splat.fails()) {
        text += &format!("     splat: {}\n", splat.title);
    }

    text
}

/// The cases of a test that failed.
fn cases(test: &Test) -> String {
    let mut text = String::new();
    for case in test.parts.iter().filter(|case| case.fails()) {
        text += &format!("     case: {}\n{}{}", case.name, details(case), cases(case));
    }

    text
}

fn format_splat(splat: &Splat) -> String {
    let mut text = format!("     splat: {}\n", splat.title);
    for line in &splat.lines {
        text += &format!("       {}\n", line.trim_end());
    }

    text
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

    /// What is printed, and what it comes to.
    fn run(console: &str, stopped: Option<&str>) -> (String, Results) {
        let mut run = Run::new(End::NoInit);
        let mut printed: String = console.lines().filter_map(|line| run.line(line)).collect();
        let results = run.finish(stopped.map(str::to_owned));
        printed += &results.rest();

        (printed, results)
    }

    const A: &str = "[    0.112000]     ok 1 a\n";
    const B: &str = "[    0.212000]     ok 2 b\n";
    const OOPS: &str = "[    0.150000] BUG: kernel NULL pointer dereference, address: 0\n";

    #[test]
    fn a_run_holds() {
        let (printed, results) = run(&format!("{}{END}", console(&[A, B], "ok")), None);

        assert_eq!(printed, "ok   lazy.a (12 ms)\nok   lazy.b (100 ms)\n");
        assert!(results.held());
        assert_eq!(results.counts().passed, 2);
        let twice: Counts = [results.counts(), results.counts()].into_iter().sum();
        assert_eq!(
            twice.to_string(),
            "4 passed, 0 failed, 0 skipped; 0 splats (0 announced, 0 allowed)"
        );
    }

    #[test]
    fn a_failure_comes_with_what_was_said() {
        let failed = "[    0.200000]     # b: ASSERTION FAILED at a.rs:1\n\
                      [    0.212000]     not ok 2 b\n";
        let (printed, results) = run(&format!("{}{END}", console(&[A, failed], "not ok")), None);

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
        let (printed, _) = run(&format!("{}{END}", console(&[&a, B], "ok")), None);

        assert_eq!(
            printed,
            "ok   lazy.a (12 ms)\n       1000 bindings\n         0 left\nok   lazy.b (100 ms)\n"
        );
    }

    #[test]
    fn a_report_fails_the_test_that_was_running() {
        let (printed, results) = run(&format!("{}{END}", console(&[A, OOPS, B], "ok")), None);

        assert!(printed.contains("FAIL lazy.b"), "{printed}");
        assert!(
            printed.contains("     splat: BUG: kernel NULL pointer dereference, address: 0\n"),
            "{printed}"
        );
        assert!(!results.held());
        assert_eq!(
            results.counts(),
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
        // What comes after the end is not heard.
        assert!(run(&format!("{tests}{END}{OOPS}"), None).1.held());
    }

    #[test]
    fn leaks_are_reports_and_have_to_be_searched_for() {
        const LEAK: &str = "unreferenced object 0xffff888001234560 (size 104):\n  comm \"kunit\"\n";
        const SEARCHED: &str = "# leaks: searched\n[    9.900000] reboot: Power down\n";
        let results = |end: &str| {
            let mut run = Run::new(End::LeaksSearched);
            for line in format!("{}{end}", console(&[A, B], "ok")).lines() {
                run.line(line);
            }
            run.finish(None)
        };

        assert!(results(SEARCHED).held());
        let leaky = results(&format!("{LEAK}{LEAK}{SEARCHED}"));
        assert!(!leaky.held());
        assert_eq!(leaky.counts().splats, 2);
        // There was no init, or it has failed.
        assert_eq!(results(END).problems(), [Problem::Died]);
        assert_eq!(
            results("[    9.900000] reboot: Power down\n").problems(),
            [Problem::Died]
        );
    }

    #[test]
    fn an_announced_report_does_not_fail_it() {
        let announced = format!(
            "[    0.140000] rust_kernel: # expect-splat: \"NULL pointer\"\n{OOPS}\
             [    0.160000] rust_kernel: # end-expect-splat: \"NULL pointer\"\n"
        );
        let (_, results) = run(
            &format!("{}{END}", console(&[A, &announced, B], "ok")),
            None,
        );

        assert!(results.held());
        assert_eq!(results.counts().expected, 1);
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
        assert_eq!(results.problems(), [Problem::Died]);
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
        let (printed, results) = run(&format!("{}{END}", console(&[A, B], "not ok")), None);

        assert!(printed.ends_with("FAIL lazy (400 ms)\n"), "{printed}");
        assert_eq!(results.failures(), ["lazy"]);
        assert_eq!(results.counts().failed, 1);
    }
}
