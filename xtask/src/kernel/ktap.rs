// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The Kernel Test Anything Protocol, version 1, as KUnit speaks it on a console.
//!
//! Documentation/dev-tools/ktap.rst has the grammar, and `kunit_print_ok_not_ok()` in
//! lib/kunit/test.c what is really printed. A console has more on it than that: timestamps, and
//! whatever else the kernel has to say. KUnit does not announce a test, it only prints how it went,
//! so that what comes between two results belongs to the later one.
//!
//! The tree's own `kunit.py parse` is not enough. It takes off the timestamps, which give the time
//! of a test. Its JSON lacks the lines between two results, by which a report of the kernel is
//! attributed to a test, and the reason for a skip. It takes a test that is `not ok` for skipped if
//! it says so.

use super::splat::{self, Detector, Splat};
use std::time::Duration;

/// A suite, a test of it, or a case of a test with parameters.
#[derive(Debug)]
pub(crate) struct Test {
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
    /// By the kernel's clock, if the console has timestamps.
    pub(crate) time: Option<Duration>,
    /// The lines of the console meanwhile.
    pub(crate) notes: Vec<String>,
    /// The reports of the kernel meanwhile.
    pub(crate) splats: Vec<Splat>,
    /// The tests of a suite, or the cases of a test.
    pub(crate) parts: Vec<Test>,
}

/// How a test went.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Passed,
    Failed,
    /// Why, if the test says that.
    Skipped(String),
    /// It was planned, or had begun, and no result came.
    Missing,
}

impl Test {
    fn new(name: impl Into<String>, outcome: Outcome) -> Self {
        Self {
            name: name.into(),
            outcome,
            time: None,
            notes: Vec::new(),
            splats: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// Whether a suite is one more test beside those in it: it has none, or it failed, and not
    /// because of them.
    pub(crate) fn counts(&self) -> bool {
        self.parts.is_empty()
            || self.splats.iter().any(Splat::fails)
            || (self.fails() && !self.parts.iter().any(Self::fails))
    }

    /// Whether it makes the run fail.
    pub(crate) fn fails(&self) -> bool {
        matches!(self.outcome, Outcome::Failed | Outcome::Missing)
            || self.splats.iter().any(Splat::fails)
            || self.parts.iter().any(Self::fails)
    }

    /// The reports of the kernel, also during its parts.
    pub(crate) fn all_splats(&self) -> Vec<&Splat> {
        let parts = self.parts.iter().flat_map(Self::all_splats);
        self.splats.iter().chain(parts).collect()
    }
}

/// The meaning of a line of the console.
#[derive(Debug, PartialEq)]
enum Line<'a> {
    Version,
    Plan(usize),
    Subtest(&'a str),
    Result {
        number: usize,
        name: &'a str,
        outcome: Outcome,
    },
}

impl<'a> Line<'a> {
    /// Reads a line, without its timestamp. Returns how deep it is nested, too; [`None`] if it is
    /// not KTAP, or a diagnostic line.
    fn parse(text: &'a str) -> Option<(usize, Self)> {
        let line = text.trim_start_matches(' ');
        let indent = text.len() - line.len();
        if indent % 4 != 0 {
            return None;
        }
        let line = line.trim_end();

        let meaning = if let Some(version) = line.strip_prefix("KTAP version ") {
            version.parse::<u32>().ok()?;
            Self::Version
        } else if let Some(name) = line.strip_prefix("# Subtest: ") {
            Self::Subtest(name)
        } else if let Some(plan) = line.strip_prefix("1..") {
            Self::Plan(plan.parse().ok()?)
        } else if let Some(result) = line.strip_prefix("not ok ") {
            Self::result(result, Outcome::Failed)?
        } else if let Some(result) = line.strip_prefix("ok ") {
            Self::result(result, Outcome::Passed)?
        } else {
            return None;
        };

        Some((indent / 4, meaning))
    }

    /// Reads what follows `ok` or `not ok`.
    fn result(text: &'a str, outcome: Outcome) -> Option<Self> {
        let (number, name) = text.split_once(' ').unwrap_or((text, ""));
        let number = number.parse().ok()?;
        let name = name.strip_prefix("- ").unwrap_or(name);

        // Only a test that is `ok` can be skipped: `not ok` never gets better by a directive.
        let (name, outcome) = match name.split_once("# SKIP") {
            Some((name, why)) if outcome == Outcome::Passed => {
                (name, Outcome::Skipped(why.trim().to_owned()))
            }
            _ => (name, outcome),
        };

        Some(Self::Result {
            number,
            name: name.trim(),
            outcome,
        })
    }
}

/// Takes off the timestamp of a line, and the name of the task or CPU that may follow it.
pub(crate) fn timestamp(line: &str) -> (Option<Duration>, &str) {
    let Some((time, rest)) = bracketed(line) else {
        return (None, line);
    };
    let Some((seconds, fraction)) = time.split_once('.') else {
        return (None, line);
    };
    let (Ok(seconds), Ok(micros), 6) = (seconds.parse(), fraction.parse::<u64>(), fraction.len())
    else {
        return (None, line);
    };

    // CONFIG_PRINTK_CALLER: `[    T1]` or `[    C0]`.
    let rest = match bracketed(rest) {
        Some((caller, rest)) if caller.starts_with(['T', 'C']) => rest,
        _ => rest,
    };
    let time = Duration::from_secs(seconds) + Duration::from_micros(micros);
    (Some(time), rest.strip_prefix(' ').unwrap_or(rest))
}

/// Splits a line into the text between its leading brackets, and the rest.
fn bracketed(line: &str) -> Option<(&str, &str)> {
    let (inner, rest) = line.strip_prefix('[')?.split_once(']')?;
    Some((inner.trim(), rest))
}

/// The name of a level whose header was lost.
const LOST: &str = "?";

/// One `KTAP version 1` and what belongs to it.
struct Level {
    depth: usize,
    plan: Option<usize>,
    begin: Option<Duration>,
    /// The suite or test that the parts belong to. There is no result yet.
    of: Test,
}

impl Level {
    /// Adds a test, and before it the tests that are missing according to its number.
    fn push(&mut self, number: usize, test: Test) {
        let tests = &mut self.of.parts;
        let next = tests.len() + 1;
        let missing = |name: String| Test::new(name, Outcome::Missing);
        tests.extend((next..number).map(|number| missing(format!("(number {number})"))));
        if number < next {
            tests.push(missing(format!("(number {next}, which says {number})")));
        }
        tests.push(test);
    }

    /// The test that has no result, if one was planned: it stands for all after the last result.
    fn missing(&self) -> Option<Test> {
        let ran = self.of.parts.len();
        let what = match self.plan? {
            plan if ran + 1 == plan => format!("(number {plan}, the last)"),
            plan if ran < plan => format!("(numbers {} to {plan})", ran + 1),
            plan if ran > plan => format!("(more than the {plan} planned)"),
            _ => return None,
        };
        let after = match self.of.parts.last() {
            Some(last) => format!(" after `{}`", last.name),
            None => String::new(),
        };
        Some(Test::new(what + &after, Outcome::Missing))
    }
}

/// Reads a console.
#[derive(Default)]
pub(crate) struct Parser {
    /// From the outermost, which has the suites, to the one that is running.
    levels: Vec<Level>,
    detector: Detector,
    /// The lines of the console since the last result, and the reports of the kernel.
    notes: Vec<String>,
    splats: Vec<Splat>,
    /// When the last result came, or what has no result began.
    last: Option<Duration>,
    /// The reports of the kernel before the first suite.
    outside: Vec<Splat>,
}

/// Everything that was seen.
pub(crate) struct Suites {
    pub(crate) suites: Vec<Test>,
    /// Whether KUnit has announced how many suites there are.
    pub(crate) planned: bool,
    /// The reports of the kernel before the first suite, and after the last one.
    pub(crate) outside: Vec<Splat>,
}

impl Parser {
    /// Reads a line, without its timestamp. Returns what has ended: a test and the name of its
    /// suite, or a suite and no name.
    pub(crate) fn line(&mut self, time: Option<Duration>, text: &str) -> Option<(&str, &Test)> {
        let parsed = Line::parse(text);
        match parsed {
            Some((_, Line::Version | Line::Result { .. })) => self.take_splats(),
            _ => self.detector.line(text),
        }
        if self.levels.is_empty() && !matches!(parsed, Some((_, Line::Version))) {
            return None;
        }
        let Some((depth, line)) = parsed else {
            self.notes.push(text.to_owned());
            return None;
        };

        match line {
            Line::Version => {
                self.unwind(depth);
                self.level(depth, time);
                self.last = time;
            }
            Line::Subtest(name) => name.clone_into(&mut self.level(depth, time).of.name),
            Line::Plan(plan) => {
                self.level(depth, time).plan = Some(plan);
                self.last = time;
            }
            Line::Result {
                number,
                name,
                outcome,
            } => return self.result(depth, time, number, Test::new(name, outcome)),
        }
        None
    }

    /// Ends it all: what is open is without result.
    pub(crate) fn finish(mut self) -> Suites {
        self.take_splats();
        self.unwind(0);
        let planned = self.levels.first().is_some_and(|all| all.plan.is_some());
        let suites = match self.levels.pop() {
            Some(all) => self.close(all).parts,
            None => Vec::new(),
        };
        self.outside.append(&mut self.splats);

        Suites {
            suites,
            planned,
            outside: self.outside,
        }
    }

    fn result(
        &mut self,
        depth: usize,
        time: Option<Duration>,
        number: usize,
        mut test: Test,
    ) -> Option<(&str, &Test)> {
        // The level one deeper has the parts of this result.
        self.unwind(depth + 2);
        let mut begin = self.last;
        if let Some(level) = self.pop(depth + 1) {
            begin = level.begin;
            let of = self.close(level);
            test.parts = of.parts;
            if of.name != LOST && of.name != test.name {
                let lost = format!("(result of `{}`)", of.name);
                test.parts.push(Test::new(lost, Outcome::Missing));
            }
        }
        let times = time.zip(begin);
        test.time = times.map(|(end, begin)| end.saturating_sub(begin));
        self.give(&mut test);
        self.last = time;

        let level = self.level(depth, time);
        level.push(number, test);
        let test = level.of.parts.last()?;
        match depth {
            0 => Some(("", test)),
            1 => Some((&level.of.name, test)),
            _ => None,
        }
    }

    /// The level at this depth. If its header was lost, there is one now.
    fn level(&mut self, depth: usize, begin: Option<Duration>) -> &mut Level {
        self.unwind(depth + 1);
        if self.levels.last().is_none_or(|level| level.depth != depth) {
            self.levels.push(Level {
                depth,
                plan: None,
                begin,
                of: Test::new(LOST, Outcome::Missing),
            });
        }

        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }

    /// The innermost level, if it is at this depth or deeper.
    fn pop(&mut self, depth: usize) -> Option<Level> {
        let is_deep = self.levels.last()?.depth >= depth;
        is_deep.then(|| self.levels.pop()).flatten()
    }

    /// Closes all levels from this depth on, but never the outermost: what they are the parts of
    /// has no result.
    fn unwind(&mut self, depth: usize) {
        while self.levels.len() > 1 {
            let Some(level) = self.pop(depth) else {
                return;
            };
            let mut test = self.close(level);
            self.give(&mut test);
            if let Some(outer) = self.levels.last_mut() {
                outer.of.parts.push(test);
            }
        }
    }

    /// Ends a level. Notes and splats of the test that was running are its own.
    fn close(&mut self, mut level: Level) -> Test {
        if let Some(mut test) = level.missing() {
            self.give(&mut test);
            level.of.parts.push(test);
        }
        level.of
    }

    /// Keeps what the kernel has complained about since the last line that ends something.
    fn take_splats(&mut self) {
        let mut splats = self.detector.take();
        if let Some(suite) = self.levels.get(1) {
            splat::allow(&suite.of.name, &mut splats);
        }
        match self.levels.is_empty() {
            true => self.outside.extend(splats),
            false => self.splats.extend(splats),
        }
    }

    /// Gives a test what has come since the last result.
    fn give(&mut self, test: &mut Test) {
        test.notes.append(&mut self.notes);
        test.splats.append(&mut self.splats);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a console, and returns what it has, with the events in the order they came.
    fn read(console: &str) -> (Suites, Vec<String>) {
        let mut parser = Parser::default();
        let mut events = Vec::new();
        for line in console.lines() {
            let (time, text) = timestamp(line);
            match parser.line(time, text) {
                Some(("", suite)) => events.push(suite.name.clone()),
                Some((suite, test)) => events.push(format!("{suite}.{}", test.name)),
                None => {}
            }
        }

        (parser.finish(), events)
    }

    /// Names and outcomes, nested.
    fn outline(tests: &[Test]) -> String {
        let one = |test: &Test| {
            let outcome = match &test.outcome {
                Outcome::Passed => "ok",
                Outcome::Failed => "FAIL",
                Outcome::Skipped(_) => "skip",
                Outcome::Missing => "none",
            };
            match test.parts.as_slice() {
                [] => format!("{outcome} {}", test.name),
                parts => format!("{outcome} {} [{}]", test.name, outline(parts)),
            }
        };

        tests.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    const TWO_SUITES: &str = "\
[    0.100000] KTAP version 1
[    0.100000] 1..2
[    0.200000]     KTAP version 1
[    0.200000]     # Subtest: lazy
[    0.200000]     # module: kernel
[    0.200000]     1..3
[    0.212000]     ok 1 maps_once
[    0.220000] faux_driver device: bound
[    0.230000]     # wrong_device: ASSERTION FAILED at rust/kernel/lib.rs:10
[    0.230000]     Expected a == b, but is not
[    0.242000]     not ok 2 wrong_device
[    0.250000]     ok 3 needs_pci # SKIP no PCI
[    0.260000] # lazy: pass:1 fail:1 skip:1 total:3
[    0.260000] # Totals: pass:1 fail:1 skip:1 total:3
[    0.300000] not ok 1 lazy
[    0.300000]     KTAP version 1
[    0.300000]     # Subtest: format
[    0.300000]     1..1
[    0.310000]         KTAP version 1
[    0.310000]         # Subtest: to_gray
[    0.320000]         ok 1 single pixel #1
[    0.330000]         ok 2 - destination pitch
[    0.340000]     ok 1 to_gray
[    0.350000] ok 2 format
[    0.360000] clk: Disabling unused clocks
";

    #[test]
    fn results_are_nested() {
        let (found, events) = read(TWO_SUITES);

        assert_eq!(
            outline(&found.suites),
            "FAIL lazy [ok maps_once, FAIL wrong_device, skip needs_pci], \
             ok format [ok to_gray [ok single pixel #1, ok destination pitch]]"
        );
        assert!(found.planned);
        assert_eq!(
            events,
            [
                "lazy.maps_once",
                "lazy.wrong_device",
                "lazy.needs_pci",
                "lazy",
                "format.to_gray",
                "format"
            ]
        );
    }

    #[test]
    fn what_comes_before_a_result_belongs_to_it() {
        let (found, _) = read(TWO_SUITES);
        let tests = &found.suites[0].parts;

        assert_eq!(
            tests[1].notes,
            [
                "faux_driver device: bound",
                "    # wrong_device: ASSERTION FAILED at rust/kernel/lib.rs:10",
                "    Expected a == b, but is not"
            ]
        );
        assert_eq!(tests[2].notes, [""; 0]);
        assert_eq!(tests[2].outcome, Outcome::Skipped("no PCI".to_owned()));
    }

    #[test]
    fn times_are_from_result_to_result() {
        let (found, _) = read(TWO_SUITES);
        let [lazy, format] = found.suites.as_slice() else {
            panic!("two suites");
        };

        assert_eq!(lazy.time, Some(Duration::from_millis(100)));
        assert_eq!(lazy.parts[0].time, Some(Duration::from_millis(12)));
        assert_eq!(lazy.parts[1].time, Some(Duration::from_millis(30)));
        // From its own header to its own result.
        assert_eq!(format.parts[0].time, Some(Duration::from_millis(30)));
        assert_eq!(
            format.parts[0].parts[1].time,
            Some(Duration::from_millis(10))
        );
    }

    #[test]
    fn timestamps_are_optional() {
        let bare: String = TWO_SUITES
            .lines()
            .map(|line| format!("{}\n", timestamp(line).1))
            .collect();

        let (with, _) = read(TWO_SUITES);
        let (without, _) = read(&bare);
        assert_eq!(outline(&with.suites), outline(&without.suites));
        assert_eq!(without.suites[0].time, None);
    }

    #[test]
    fn timestamps_are_taken_off() {
        let second = Some(Duration::from_micros(1_000_001));

        assert_eq!(timestamp("[    1.000001] text"), (second, "text"));
        assert_eq!(
            timestamp("[    1.000001]     ok 1 a"),
            (second, "    ok 1 a")
        );
        assert_eq!(timestamp("[    1.000001][   T42] text"), (second, "text"));
        assert_eq!(timestamp("[    1.000001][    C1] text"), (second, "text"));
        assert_eq!(
            timestamp("[    1.000001] [drm] text"),
            (second, "[drm] text")
        );
        assert_eq!(timestamp("[drm] text"), (None, "[drm] text"));
        assert_eq!(timestamp("[1.5] text"), (None, "[1.5] text"));
        assert_eq!(timestamp("text"), (None, "text"));
    }

    #[test]
    fn a_crash_is_that_of_the_test_after_the_last_result() {
        let (found, _) = read(
            "KTAP version 1\n1..2\n    KTAP version 1\n    # Subtest: lazy\n    1..4\n\
             \x20   ok 1 a\nBUG: kernel NULL pointer dereference\nKernel panic - not sy",
        );

        assert_eq!(
            outline(&found.suites),
            "none lazy [ok a, none (numbers 2 to 4) after `a`], \
             none (number 2, the last) after `lazy`"
        );
        let crashed = &found.suites[0].parts[1];
        assert_eq!(crashed.notes[0], "BUG: kernel NULL pointer dereference");
        assert!(found.suites[0].fails());
    }

    #[test]
    fn what_is_lost_is_missing() {
        const SUITE: &str = "KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: a\n";
        for (rest, expected) in [
            // A case that was cut off.
            (
                "    1..2\n        KTAP version 1\n        # Subtest: b\n        ok 1 x\n        not o",
                "none a [none b [ok x], none (number 2, the last) after `b`]",
            ),
            // A result.
            (
                "    1..3\n    ok 1 x\n    ok 3 z\nok 1 a\n",
                "ok a [ok x, none (number 2), ok z]",
            ),
            // The result of a suite, which does not swallow the next one.
            (
                "    1..1\n    ok 1 x\n    KTAP version 1\n    # Subtest: b\n    1..1\n    ok 1 y\nok 2 b\n",
                "none a [ok x], ok b [ok y], none (more than the 1 planned) after `b`",
            ),
            // The name of the suite.
            (
                "    1..1\n    ok 1 x\nok 1 b\n",
                "ok b [ok x, none (result of `a`)]",
            ),
        ] {
            let (found, _) = read(&format!("{SUITE}{rest}"));
            assert_eq!(outline(&found.suites), expected);
            assert!(found.suites[0].fails());
        }
    }

    #[test]
    fn a_lost_header_does_not_lose_the_results() {
        let (found, events) =
            read("KTAP version 1\n1..1\n    ok 1 x\n        ok 1 case\n    ok 2 y\nok 1 a\n");

        assert_eq!(outline(&found.suites), "ok a [ok x, ok y [ok case]]");
        assert_eq!(events, ["?.x", "?.y", "a"]);
    }

    #[test]
    fn results_outside_of_a_plan_are_not_ktap() {
        let (found, events) = read("ok 1 a\nnot ok 2 b\n1..3\n");

        assert!(found.suites.is_empty());
        assert!(!found.planned);
        assert!(events.is_empty());
    }

    #[test]
    fn lines_that_look_alike_are_not_results() {
        for text in [
            "okay 1 a",
            "ok a",
            "ok",
            "  ok 1 a",
            "not okay",
            "1..x",
            "KTAP version x",
        ] {
            assert_eq!(Line::parse(text), None, "{text}");
        }
        // A failure stays one.
        let (found, _) = read("KTAP version 1\n1..1\nnot ok 1 a # SKIP really\n");
        assert_eq!(found.suites[0].outcome, Outcome::Failed);
    }
}
