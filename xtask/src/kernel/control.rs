// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The expected results of the tests on the object by hand: they fail where Linux 7.3 falls short,
//! and nowhere else.

use super::{
    flavour::Variant,
    ktap::{self, Test},
    run::Results,
    splat::Splat,
};
use anyhow::{ensure, Result};

/// How a test goes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Passes,
    Fails,
    Skipped,
    /// The kernel dies of it.
    Oopses,
    /// Something else keeps it from having a result.
    NoResult,
}

impl Outcome {
    fn of(test: &Test, was_fatal: bool) -> Self {
        match test.outcome {
            ktap::Outcome::Passed => Self::Passes,
            ktap::Outcome::Failed => Self::Fails,
            ktap::Outcome::Skipped(_) => Self::Skipped,
            ktap::Outcome::Missing if was_fatal => Self::Oopses,
            ktap::Outcome::Missing => Self::NoResult,
        }
    }

    /// In words, with so many reports.
    fn text(self, reports: usize) -> String {
        let name = match self {
            Self::Passes => "passes",
            Self::Fails => "fails",
            Self::Skipped => "is skipped",
            Self::Oopses => "oopses",
            Self::NoResult => "has no result",
        };
        match reports {
            0 => name.to_owned(),
            1 => format!("{name}, 1 report"),
            more => format!("{name}, {more} reports"),
        }
    }
}

/// A test that does not simply pass.
#[derive(Clone, Copy)]
struct Expected {
    test: &'static str,
    outcome: Outcome,
    /// One text for each report of the kernel during the test; the report contains it.
    reports: &'static [&'static str],
    why: &'static str,
}

impl Expected {
    const fn new(
        test: &'static str,
        outcome: Outcome,
        reports: &'static [&'static str],
        why: &'static str,
    ) -> Self {
        Self {
            test,
            outcome,
            reports,
            why,
        }
    }
}

/// The tests that do not simply pass, with their expected results.
fn expected(variant: Variant) -> Vec<Expected> {
    use Outcome::{Fails, Oopses, Skipped};
    const IMPORTED: &str = "drm_WARN_ON(drm_gem_is_imported(obj))";
    const UNCLEAN: &str = "Memory manager not clean during takedown";
    let is_debug = variant == Variant::Debug;
    let debug = |reports| if is_debug { reports } else { &[][..] };
    let fails = |test, reports, why| Expected::new(test, Fails, reports, why);

    let mut tests = vec![
        fails(
            "rust_devres_lazy_contract.rebind",
            &[],
            "H1: lends what unbind has dropped, after a rebind",
        ),
        fails(
            "rust_devres_lazy_contract.access_during_unbind",
            &[],
            "H2: lends what unbind has dropped, before that is over",
        ),
        // KASAN reports what this test reads.
        fails(
            "rust_devres_lazy_contract.lent_to_a_callback",
            debug(&["KASAN: slab-use-after-free"]),
            "H2: drops what a callback uses, before the callback has returned",
        ),
        fails(
            "rust_devres_lazy_contract.object_outlives_drm_device",
            &[],
            "H3, H11: does not keep the DRM device that unmapping and the release read",
        ),
        fails(
            "rust_devres_lazy_contract.last_holder",
            &[],
            "H11: as above; is not freed as the last holder, which would read freed memory",
        ),
        fails(
            "rust_devres_lazy_contract.last_holder_after_unbind",
            &[UNCLEAN],
            "H11: the DRM device is freed before its object, which is then leaked",
        ),
        fails(
            "rust_devres_lazy_contract.last_holder_access",
            &[],
            "H11: as above; is not mapped as the last holder",
        ),
        fails(
            "rust_devres_lazy_contract.registration_data",
            &[],
            "H11: as above; is not put into registration data",
        ),
        fails(
            "rust_devres_lazy_contract.imported_object",
            &[IMPORTED, IMPORTED],
            "H6: maps what is the exporter's",
        ),
    ];
    let allocation = "rust_devres_lazy_contract.failing_allocation";
    let oops = "rust_lazy_oops";
    let why = "H1: as `rebind`, and reads from what is lent";
    if is_debug {
        let crash = &["Oops: general protection fault", "KASAN: null-ptr-deref"];
        tests.extend([
            fails(
                "rust_lazy_kasan.free_after_drm_device",
                &[UNCLEAN, "KASAN: slab-use-after-free in drm_"],
                "H11: as above; its release reads the DRM device",
            ),
            fails(
                allocation,
                &["drm_WARN_ON(refcount_read(&shmem->pages_use_count))"],
                "H4: counts the pages twice if what follows fails",
            ),
            Expected::new(oops, Oopses, crash, why),
        ]);
    } else {
        let crash = &["BUG: kernel NULL pointer dereference"];
        let needs = "H4: needs failslab, as the debug variant has";
        tests.extend([
            Expected::new(allocation, Skipped, &[], needs),
            Expected::new(oops, Oopses, crash, why),
        ]);
    }
    tests
}

/// How a test went.
struct Seen<'a> {
    test: String,
    outcome: Outcome,
    reports: Vec<&'a Splat>,
}

impl<'a> Seen<'a> {
    /// Everything that a boot has to say about tests.
    fn all(run: &'a Results) -> Vec<Self> {
        let mut seen = Vec::new();
        for suite in &run.suites {
            seen.extend(suite.parts.iter().map(|test| {
                let reports = failing(test.all_splats());
                let outcome = Outcome::of(test, run.died && !reports.is_empty());
                let test = match outcome {
                    // KUnit does not say which test it begins.
                    Outcome::Oopses => suite.name.clone(),
                    _ => format!("{}.{}", suite.name, test.name),
                };
                Self {
                    test,
                    outcome,
                    reports,
                }
            }));
            // It has something to say beside what its tests say.
            if suite.counts() {
                seen.push(Self {
                    test: suite.name.clone(),
                    outcome: Outcome::of(suite, false),
                    reports: failing(suite.splats.iter().collect()),
                });
            }
        }

        seen
    }

    /// Whether the reports are those that were expected, in any order.
    fn has_reports(&self, expected: &[&str]) -> bool {
        let mut left = self.reports.clone();
        let all_came = expected.iter().all(|contains| {
            let found = left.iter().position(|splat| splat.contains(contains));
            found.map(|at| left.remove(at)).is_some()
        });

        all_came && left.is_empty()
    }
}

/// The reports that a test should be without.
fn failing(mut splats: Vec<&Splat>) -> Vec<&Splat> {
    splats.retain(|splat| splat.fails());
    splats
}

/// A line of the table.
struct Row {
    test: String,
    expected: String,
    seen: String,
    why: &'static str,
    differs: bool,
    /// The titles of reports, if they are not those that were expected.
    others: Vec<String>,
}

impl Row {
    /// A test that was seen, or should have been.
    fn new(expected: Expected, seen: Option<&Seen<'_>>) -> Self {
        let has_reports = seen.is_some_and(|seen| seen.has_reports(expected.reports));
        let others = seen.filter(|_| !has_reports).map(|seen| &seen.reports);

        Self {
            test: seen.map_or(expected.test.to_owned(), |seen| seen.test.clone()),
            expected: expected.outcome.text(expected.reports.len()),
            seen: seen.map_or("is not there".to_owned(), |seen| {
                seen.outcome.text(seen.reports.len())
            }),
            why: expected.why,
            differs: !has_reports || seen.is_none_or(|seen| seen.outcome != expected.outcome),
            others: others
                .into_iter()
                .flatten()
                .map(|splat| splat.title.clone())
                .collect(),
        }
    }
}

/// The comparison.
struct Verdict {
    rows: Vec<Row>,
    /// The problems of the boots as a whole.
    problems: Vec<String>,
}

impl Verdict {
    fn new(mut expected: Vec<Expected>, results: &[Results]) -> Self {
        let mut rows = Vec::new();
        let mut problems = Vec::new();

        for run in results {
            let seen = Seen::all(run);
            let has_oopsed = seen.iter().any(|it| it.outcome == Outcome::Oopses);

            rows.extend(seen.into_iter().map(|seen| {
                let known = expected.iter().position(|it| it.test == seen.test);
                // One that is not known has to pass.
                let passes = Expected::new("", Outcome::Passes, &[], "");
                Row::new(known.map_or(passes, |at| expected.remove(at)), Some(&seen))
            }));
            let outside = run.complaints();
            problems.extend(outside.map(|splat| format!("outside of tests: {}", splat.title)));
            // A row says so if it has oopsed.
            if !(run.died && has_oopsed) {
                problems.extend(run.problems.iter().cloned());
            }
        }
        rows.extend(expected.into_iter().map(|it| Row::new(it, None)));

        Self { rows, problems }
    }

    fn is_as_expected(&self) -> bool {
        self.problems.is_empty() && !self.rows.iter().any(|row| row.differs)
    }

    /// The table, and below it what is not as expected.
    fn text(&self) -> String {
        let mut table = vec![["test", "expected", "seen", "why"].map(str::to_owned)];
        let mut last = "";
        for row in &self.rows {
            let mut name = row.test.clone();
            if let Some((suite, test)) = row.test.split_once('.') {
                if suite != last {
                    table.push([suite, "", "", ""].map(str::to_owned));
                }
                last = suite;
                name = format!("  {test}");
            }
            table.push([
                name,
                row.expected.clone(),
                row.seen.clone(),
                row.why.to_owned(),
            ]);
        }
        let [first, second, third] = [0, 1, 2].map(|column| {
            table
                .iter()
                .map(|row| row[column].len())
                .max()
                .unwrap_or_default()
        });

        let mut text = String::new();
        for [test, expected, seen, why] in table {
            let line = format!("{test:first$}  {expected:second$}  {seen:third$}  {why}");
            text += line.trim_end();
            text.push('\n');
        }
        text.push('\n');
        for row in self.rows.iter().filter(|row| row.differs) {
            text += &format!(
                "differs: {} {}, and not: {}\n",
                row.test, row.seen, row.expected
            );
            for report in &row.others {
                text += &format!("     splat: {report}\n");
            }
        }
        for problem in &self.problems {
            text += &format!("differs: {problem}\n");
        }

        text
    }
}

/// Prints what was expected and what was seen, and fails if that is not the same.
pub(crate) fn judge(variant: Variant, results: &[Results]) -> Result<()> {
    let verdict = Verdict::new(expected(variant), results);
    print!("{}", verdict.text());

    ensure!(
        verdict.is_as_expected(),
        "the control is not as expected: either the tests do not find what is wrong with the \
         object by hand, or this Linux has another one"
    );
    println!("the control fails where it should, and nowhere else");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::run::Run, *};

    fn expected() -> Vec<Expected> {
        vec![
            Expected::new("lazy.rebind", Outcome::Fails, &[], "H1"),
            Expected::new(
                "lazy.imported",
                Outcome::Fails,
                &["is_imported", "is_imported"],
                "H6",
            ),
            Expected::new("lazy.allocation", Outcome::Skipped, &[], "H4"),
            Expected::new("oops", Outcome::Oopses, &["NULL pointer"], "H1"),
        ]
    }

    const UNBIND: &str = "ok 1 unbind\n";
    const REBIND: &str = "not ok 2 rebind\n";
    const REPORT: &str = "WARNING: is_imported at a\n";
    const IMPORTED: &str = "WARNING: is_imported at a\nWARNING: is_imported at b\n\
                            not ok 3 imported\n";
    const ALLOCATION: &str = "ok 4 allocation # SKIP no failslab\n";
    const ALL: [&str; 4] = [UNBIND, REBIND, IMPORTED, ALLOCATION];
    const KASAN: &str = "BUG: KASAN: x\n";
    const OOPS: &str = "BUG: kernel NULL pointer dereference, address: 0\n";
    const PANIC: &str = "Kernel panic - not syncing: VFS: Unable to mount root fs\n";

    /// A boot with one suite.
    fn boot(suite: &str, tests: &[&str], end: &str) -> Results {
        let mut run = Run::default();
        let planned = tests.len();
        let mut console = format!(
            "KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: {suite}\n    1..{planned}\n"
        );
        for line in tests.iter().flat_map(|test| test.lines()) {
            console += &match line.contains("ok ") {
                true => format!("    {line}\n"),
                false => format!("{line}\n"),
            };
        }
        for line in console.lines().chain(end.lines()) {
            run.line(line);
        }
        run.finish(None)
    }

    /// The boot that most suites share.
    fn shared(tests: &[&str]) -> Results {
        boot("lazy", tests, &format!("not ok 1 lazy\n{PANIC}"))
    }

    /// The one that the kernel does not survive.
    fn oops() -> Results {
        boot("oops", &[OOPS], "")
    }

    /// Returns the lines that differ with these boots.
    fn differs(results: &[Results]) -> Vec<String> {
        let verdict = Verdict::new(expected(), results);
        let text = verdict.text();
        let differs: Vec<String> = text
            .lines()
            .filter_map(|line| line.strip_prefix("differs: "))
            .map(str::to_owned)
            .collect();

        assert_eq!(verdict.is_as_expected(), differs.is_empty(), "{text}");
        differs
    }

    #[test]
    fn a_table_says_what_was_expected_and_seen() {
        let verdict = Verdict::new(expected(), &[shared(&ALL), oops()]);

        assert_eq!(
            verdict.text(),
            concat!(
                "test          expected          seen              why\n",
                "lazy\n",
                "  unbind      passes            passes\n",
                "  rebind      fails             fails             H1\n",
                "  imported    fails, 2 reports  fails, 2 reports  H6\n",
                "  allocation  is skipped        is skipped        H4\n",
                "oops          oopses, 1 report  oopses, 1 report  H1\n\n"
            )
        );
        assert!(verdict.is_as_expected());
    }

    #[test]
    fn a_test_that_ends_otherwise_differs() {
        let once = format!("{REPORT}not ok 3 imported\n");
        let thrice = format!("{}not ok 3 imported\n", REPORT.repeat(3));
        let another = format!("{REPORT}{KASAN}not ok 3 imported\n");
        let kasan_rebind = format!("{KASAN}{REBIND}");
        let kasan_unbind = format!("{KASAN}{UNBIND}");

        for (test, instead, expected) in [
            // One that should fail, be skipped, or pass, does not.
            (1, "ok 2 rebind\n", "lazy.rebind passes, and not: fails"),
            (0, "not ok 1 unbind\n", "lazy.unbind fails, and not: passes"),
            (
                0,
                "ok 1 unbind # SKIP no\n",
                "lazy.unbind is skipped, and not: passes",
            ),
            (
                3,
                "ok 4 allocation\n",
                "lazy.allocation passes, and not: is skipped",
            ),
            (
                3,
                "not ok 4 allocation\n",
                "lazy.allocation fails, and not: is skipped",
            ),
            // Reports are expected one by one.
            (
                2,
                &once,
                "lazy.imported fails, 1 report, and not: fails, 2 reports",
            ),
            (
                2,
                &thrice,
                "lazy.imported fails, 3 reports, and not: fails, 2 reports",
            ),
            (
                2,
                &another,
                "lazy.imported fails, 2 reports, and not: fails, 2 reports",
            ),
            (
                2,
                "not ok 3 imported\n",
                "lazy.imported fails, and not: fails, 2 reports",
            ),
            (
                1,
                &kasan_rebind,
                "lazy.rebind fails, 1 report, and not: fails",
            ),
            (
                0,
                &kasan_unbind,
                "lazy.unbind passes, 1 report, and not: passes",
            ),
        ] {
            let mut tests = ALL;
            tests[test] = instead;
            assert_eq!(differs(&[shared(&tests), oops()]), [expected]);
        }
    }

    #[test]
    fn a_test_that_is_not_there_differs() {
        assert_eq!(
            differs(&[shared(&ALL[..3]), oops()]),
            ["lazy.allocation is not there, and not: is skipped"]
        );
        // One whose result was lost.
        assert_eq!(
            differs(&[shared(&[UNBIND, "", IMPORTED, ALLOCATION]), oops()]),
            [
                "lazy.(number 2) has no result, and not: passes",
                "lazy.rebind is not there, and not: fails"
            ]
        );
        assert_eq!(
            differs(&[shared(&ALL)]),
            ["oops is not there, and not: oopses, 1 report"]
        );
    }

    #[test]
    fn a_report_outside_of_tests_differs() {
        // Between the last test and the end of the suite, and after it.
        for (end, expected) in [
            (
                format!("{KASAN}not ok 1 lazy\n{PANIC}"),
                "lazy fails, 1 report, and not: passes",
            ),
            (
                format!("not ok 1 lazy\n{KASAN}{PANIC}"),
                "outside of tests: BUG: KASAN: x",
            ),
        ] {
            assert_eq!(differs(&[boot("lazy", &ALL, &end), oops()]), [expected]);
        }
    }

    #[test]
    fn a_kernel_that_should_die_and_lives_differs() {
        let end = format!("not ok 1 oops\n{PANIC}");
        let lives = boot("oops", &["not ok 1 read\n"], &end);

        assert_eq!(
            differs(&[shared(&ALL), lives]),
            [
                "oops.read fails, and not: passes",
                "oops is not there, and not: oopses, 1 report"
            ]
        );
        // Nor is it enough that it dies, of something else, or of nothing that is known.
        assert_eq!(
            differs(&[shared(&ALL), boot("oops", &[KASAN], "")]),
            ["oops oopses, 1 report, and not: oopses, 1 report"]
        );
        let silent = differs(&[shared(&ALL), boot("oops", &["# nothing\n"], "")]);
        assert_eq!(silent.len(), 3, "{silent:?}");
    }

    #[test]
    fn a_kernel_that_should_live_and_dies_differs() {
        assert_eq!(
            differs(&[boot("lazy", &ALL, "not ok 1 lazy\n"), oops()]),
            ["the kernel died before all was done"]
        );
        let oopses = boot("lazy", &[UNBIND, OOPS, IMPORTED, ALLOCATION], "");
        assert!(!differs(&[oopses, oops()]).is_empty());
    }
}
