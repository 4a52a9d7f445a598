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

use super::{
    pattern::pattern,
    splat::{self, Splat},
};
use regex_lite::Regex;
use std::{sync::LazyLock, time::Duration};

/// The prefix of a line that a test prints for people to read.
const RESULT: &str = "# result: ";

/// A suite, a test of it, or a case of a test with parameters.
#[derive(Debug, Default)]
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
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Outcome {
    Passed,
    Failed,
    /// Why, if the test says that.
    Skipped(String),
    /// It was planned, or had begun, and no result came.
    #[default]
    Missing,
}

impl Test {
    pub(crate) fn new(name: impl Into<String>, outcome: Outcome) -> Self {
        Self {
            name: name.into(),
            outcome,
            ..Self::default()
        }
    }

    /// Whether a suite is one more test beside those in it: it has none, or it failed, and not
    /// because of them.
    pub(crate) fn counts(&self) -> bool {
        self.parts.is_empty()
            || self.splats.iter().any(Splat::fails)
            || (self.fails() && !self.parts.iter().any(Self::fails))
    }

    /// Whether it neither passes nor fails.
    pub(crate) fn is_skipped(&self) -> bool {
        matches!(self.outcome, Outcome::Skipped(_)) && !self.fails()
    }

    /// Whether it makes the run fail.
    pub(crate) fn fails(&self) -> bool {
        matches!(self.outcome, Outcome::Failed | Outcome::Missing)
            || self.splats.iter().any(Splat::fails)
            || self.parts.iter().any(Self::fails)
    }

    /// The lines that the test has printed for people to read, also if all is well.
    pub(crate) fn results(&self) -> impl Iterator<Item = &str> {
        let notes = self.notes.iter();
        notes.filter_map(|note| Some(note.split_once(RESULT)?.1.trim_end()))
    }

    /// The reports of the kernel, also during its parts.
    pub(crate) fn all_splats(&self) -> Vec<&Splat> {
        let parts = self.parts.iter().flat_map(Self::all_splats);
        self.splats.iter().chain(parts).collect()
    }
}

/// The time of a line, and the name of the task or CPU that CONFIG_PRINTK_CALLER adds.
static TIMESTAMP: LazyLock<Regex> = pattern!(r"^\[ *([0-9]+\.[0-9]{6})\](?:\[ *[TC][0-9]+\])? ?");

static LINE: LazyLock<Regex> = pattern!(
    r"^(?<indent>(?:    )*)(?:(?<version>KTAP version [0-9]+)|# Subtest: (?<subtest>.+)"
    r"|1\.\.(?<plan>[0-9]{1,6})"
    r"|(?<not>not )?ok (?<number>[0-9]{1,6})(?: (?:- )?(?<text>.*))?)\s*$"
);

/// Splits a line into its time and its text.
pub(crate) fn timestamp(line: &str) -> (Option<Duration>, &str) {
    let Some(found) = TIMESTAMP.captures(line) else {
        return (None, line);
    };
    let seconds = found[1].parse().ok();
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    (time, &line[found[0].len()..])
}

/// The name of a level whose header was lost.
const LOST: &str = "?";

/// One `KTAP version 1` and what belongs to it.
struct Level {
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

#[derive(Default)]
pub(crate) struct Parser {
    /// From the outermost, which has the suites, to the one that is running.
    levels: Vec<Level>,
    /// The lines of the console that are not KTAP, since the last line that ends something.
    lines: Vec<String>,
    /// The same since the last result, with the reports of the kernel.
    notes: Vec<String>,
    splats: Vec<Splat>,
    /// When the last result came, or what has no result began.
    last: Option<Duration>,
    /// The reports of the kernel before the first suite.
    outside: Vec<Splat>,
}

impl Parser {
    /// Reads a line, without its timestamp. Returns what has ended: a test and the name of its
    /// suite, or a suite and no name.
    pub(crate) fn line(&mut self, time: Option<Duration>, text: &str) -> Option<(&str, &Test)> {
        let has_begun = !self.levels.is_empty();
        let line = LINE.captures(text);
        let Some(line) = line.filter(|line| has_begun || line.name("version").is_some()) else {
            self.lines.push(text.to_owned());
            return None;
        };
        let depth = line["indent"].len() / 4;
        let part = |name| line.name(name).map(|part| part.as_str().trim());

        if let Some(name) = part("subtest") {
            name.clone_into(&mut self.level(depth, time).of.name);
        } else if let Some(plan) = part("plan") {
            self.level(depth, time).plan = plan.parse().ok();
            self.last = time;
        } else if let Some(number) = part("number") {
            let text = part("text").unwrap_or_default();
            // Only a test that is `ok` can be skipped: `not ok` never gets better by a directive.
            let (name, outcome) = match (part("not"), text.split_once("# SKIP")) {
                (Some(_), _) => (text, Outcome::Failed),
                (None, Some((name, why))) => (name, Outcome::Skipped(why.trim().to_owned())),
                (None, None) => (text, Outcome::Passed),
            };
            let test = Test::new(name.trim(), outcome);
            return self.result(depth, time, number.parse().ok()?, test);
        } else {
            self.search();
            if !has_begun {
                self.outside.append(&mut self.splats);
                self.notes.clear();
            }
            self.unwind(depth);
            self.level(depth, time);
            self.last = time;
        }
        None
    }

    /// Ends it all: what is open is without result. Returns whether KUnit has announced how many
    /// suites there are, and the test that they are parts of: its reports came before the first
    /// suite, and after the last one.
    pub(crate) fn finish(mut self) -> (bool, Test) {
        self.search();
        self.unwind(0);
        let is_planned = self.levels.first().is_some_and(|all| all.plan.is_some());
        let mut all = self.close().unwrap_or_default();
        all.splats = self.outside;
        all.splats.append(&mut self.splats);

        (is_planned, all)
    }

    fn result(
        &mut self,
        depth: usize,
        time: Option<Duration>,
        number: usize,
        mut test: Test,
    ) -> Option<(&str, &Test)> {
        self.search();
        self.unwind(depth + 2);
        let mut begin = self.last;
        // The level one deeper has the parts of this result.
        if let Some(level) = self.levels.get(depth + 1) {
            begin = level.begin;
            let of = self.close()?;
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

    /// The level at this depth, as the innermost. If its header was lost, there is one now.
    fn level(&mut self, depth: usize, begin: Option<Duration>) -> &mut Level {
        self.unwind(depth + 1);
        let lost = || Level {
            plan: None,
            begin,
            of: Test::new(LOST, Outcome::Missing),
        };
        self.levels.resize_with(depth + 1, lost);
        &mut self.levels[depth]
    }

    /// Closes all levels from this depth on, but never the outermost: what they are the parts of
    /// has no result.
    fn unwind(&mut self, depth: usize) {
        while self.levels.len() > depth.max(1) {
            let Some(mut test) = self.close() else {
                return;
            };
            self.give(&mut test);
            if let Some(outer) = self.levels.last_mut() {
                outer.of.parts.push(test);
            }
        }
    }

    /// Ends the innermost level. A test that has no result was running.
    fn close(&mut self) -> Option<Test> {
        let mut level = self.levels.pop()?;
        if let Some(mut test) = level.missing() {
            self.give(&mut test);
            level.of.parts.push(test);
        }
        Some(level.of)
    }

    /// Looks for reports in the lines since the last line that ends something.
    fn search(&mut self) {
        let suite = self.levels.get(1).map_or("", |suite| &suite.of.name);
        self.splats.extend(splat::find(suite, &self.lines));
        self.notes.append(&mut self.lines);
    }

    /// Gives a test what has come since the last result.
    fn give(&mut self, test: &mut Test) {
        test.notes.append(&mut self.notes);
        test.splats.append(&mut self.splats);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A console with one suite. The lines of its tests that are results are indented; `end` is the
    /// rest, with the result of the suite if there is one.
    pub(crate) fn console(suite: &str, tests: &[&str], end: &str) -> String {
        let planned = tests.len();
        let mut console = format!(
            "KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: {suite}\n    1..{planned}\n"
        );
        for line in tests.iter().flat_map(|test| test.lines()) {
            let indent = if line.contains("ok ") { "    " } else { "" };
            console += &format!("{indent}{line}\n");
        }
        console + end
    }

    /// Reads a console, and returns its suites, with the events in the order they came.
    fn read(console: &str) -> (Vec<Test>, String) {
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

        (parser.finish().1.parts, events.join(" "))
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
            outline(&found),
            "FAIL lazy [ok maps_once, FAIL wrong_device, skip needs_pci], \
             ok format [ok to_gray [ok single pixel #1, ok destination pitch]]"
        );
        assert_eq!(
            events,
            "lazy.maps_once lazy.wrong_device lazy.needs_pci lazy format.to_gray format"
        );
    }

    #[test]
    fn what_comes_before_a_result_belongs_to_it() {
        let (found, _) = read(TWO_SUITES);
        let tests = &found[0].parts;

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
        let [lazy, format] = found.as_slice() else {
            panic!("two suites");
        };
        let millis = |test: &Test| test.time.map(|time| time.as_millis());

        assert_eq!(millis(lazy), Some(100));
        assert_eq!(millis(&lazy.parts[0]), Some(12));
        assert_eq!(millis(&lazy.parts[1]), Some(30));
        // From its own header to its own result.
        assert_eq!(millis(&format.parts[0]), Some(30));
        assert_eq!(millis(&format.parts[0].parts[1]), Some(10));

        // Timestamps are optional.
        let lines = TWO_SUITES.lines().map(|line| timestamp(line).1);
        let (without, _) = read(&lines.collect::<Vec<_>>().join("\n"));
        assert_eq!(outline(&found), outline(&without));
        assert_eq!(without[0].time, None);
    }

    #[test]
    fn timestamps_are_taken_off() {
        let second = Some(Duration::from_micros(1_000_001));
        for (line, expected) in [
            ("[    1.000001] text", (second, "text")),
            ("[    1.000001]     ok 1 a", (second, "    ok 1 a")),
            ("[    1.000001][   T42] text", (second, "text")),
            ("[    1.000001][    C1] text", (second, "text")),
            ("[    1.000001] [drm] text", (second, "[drm] text")),
            ("[drm] text", (None, "[drm] text")),
            ("[1.5] text", (None, "[1.5] text")),
            ("text", (None, "text")),
        ] {
            assert_eq!(timestamp(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_lost_is_missing() {
        const HEADER: &str = "KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: a\n";
        for (rest, expected) in [
            // A case that was cut off.
            (
                "    1..2\n        KTAP version 1\n        # Subtest: b\n        ok 1 x\n        not o",
                "none a [none b [ok x], none (number 2, the last) after `b`]",
            ),
            // The end of all.
            (
                "    1..4\n    ok 1 x\nBUG: kernel NULL pointer dereference\nKernel panic - not sy",
                "none a [ok x, none (numbers 2 to 4) after `x`]",
            ),
            // A result.
            (
                "    1..3\n    ok 1 x\n    ok 3 z\nok 1 a\n",
                "ok a [ok x, none (number 2), ok z]",
            ),
            // The right number of a result.
            (
                "    1..2\n    ok 1 x\n    ok 1 z\nok 1 a\n",
                "ok a [ok x, none (number 2, which says 1), ok z, none (more than the 2 planned) after `z`]",
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
            let (found, _) = read(&format!("{HEADER}{rest}"));
            assert_eq!(outline(&found), expected);
            assert!(found[0].fails());
            if rest.contains("BUG") {
                let crashed = &found[0].parts[1];
                assert_eq!(crashed.notes[0], "BUG: kernel NULL pointer dereference");
                assert_eq!(crashed.splats.len(), 1);
            }
        }

        // A lost header does not lose the results.
        let (found, events) =
            read("KTAP version 1\n1..1\n    ok 1 x\n        ok 1 case\n    ok 2 y\nok 1 a\n");
        assert_eq!(outline(&found), "ok a [ok x, ok y [ok case]]");
        assert_eq!(events, "?.x ?.y a");
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
            assert!(!LINE.is_match(text), "{text}");
        }

        // Nor are results outside of a plan.
        let (found, events) = read("ok 1 a\nnot ok 2 b\n1..3\n");
        assert!(found.is_empty() && events.is_empty());
        // A failure stays one.
        let (found, _) = read("KTAP version 1\n1..1\nnot ok 1 a # SKIP really\n");
        assert_eq!(found[0].outcome, Outcome::Failed);
    }
}
