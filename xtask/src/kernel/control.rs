// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the tests have to say about the object by hand: where Linux 7.3 falls short, they fail, and
//! nowhere else.

use super::{
    ktap::{
        self,
        Test, //
    },
    prepare::Variant,
    run::{
        Problem,
        Results, //
    },
    splat::Splat,
};
use anyhow::{
    ensure,
    Result, //
};

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
    fn name(self) -> &'static str {
        match self {
            Self::Passes => "passes",
            Self::Fails => "fails",
            Self::Skipped => "is skipped",
            Self::Oopses => "oopses",
            Self::NoResult => "has no result",
        }
    }
}

/// A test that does not simply pass.
struct Expected {
    test: &'static str,
    outcome: Outcome,
    /// What the kernel complains about meanwhile: one report for each, which contains it.
    reports: &'static [&'static str],
    why: &'static str,
}

/// KASAN reports what this test reads.
const LENT: &str = "rust_devres_lazy_contract.lent_to_a_callback";
const WHY_LENT: &str = "H2: drops what a callback uses, before the callback has returned";

/// What is expected in both variants.
const COMMON: [Expected; 8] = [
    Expected {
        test: "rust_devres_lazy_contract.rebind",
        outcome: Outcome::Fails,
        reports: &[],
        why: "H1: lends what unbind has dropped, after a rebind",
    },
    Expected {
        test: "rust_devres_lazy_contract.access_during_unbind",
        outcome: Outcome::Fails,
        reports: &[],
        why: "H2: lends what unbind has dropped, before that is over",
    },
    Expected {
        test: "rust_devres_lazy_contract.object_outlives_drm_device",
        outcome: Outcome::Fails,
        reports: &[],
        why: "H3, H11: does not keep the DRM device that unmapping and the release read",
    },
    Expected {
        test: "rust_devres_lazy_contract.last_holder",
        outcome: Outcome::Fails,
        reports: &[],
        why: "H11: as above; is not freed as the last holder, which would read freed memory",
    },
    Expected {
        test: "rust_devres_lazy_contract.last_holder_after_unbind",
        outcome: Outcome::Fails,
        reports: &["Memory manager not clean during takedown"],
        why: "H11: the DRM device is freed before its object, which is then leaked",
    },
    Expected {
        test: "rust_devres_lazy_contract.last_holder_access",
        outcome: Outcome::Fails,
        reports: &[],
        why: "H11: as above; is not mapped as the last holder",
    },
    Expected {
        test: "rust_devres_lazy_contract.registration_data",
        outcome: Outcome::Fails,
        reports: &[],
        why: "H11: as above; is not put into registration data",
    },
    Expected {
        test: "rust_devres_lazy_contract.imported_object",
        outcome: Outcome::Fails,
        reports: &[
            "drm_WARN_ON(drm_gem_is_imported(obj))",
            "drm_WARN_ON(drm_gem_is_imported(obj))",
        ],
        why: "H6: maps what is the exporter's",
    },
];

const FAST: [Expected; 3] = [
    Expected {
        test: LENT,
        outcome: Outcome::Fails,
        reports: &[],
        why: WHY_LENT,
    },
    Expected {
        test: "rust_devres_lazy_contract.failing_allocation",
        outcome: Outcome::Skipped,
        reports: &[],
        why: "H4: needs failslab, as the debug variant has",
    },
    Expected {
        test: "rust_lazy_oops",
        outcome: Outcome::Oopses,
        reports: &["BUG: kernel NULL pointer dereference"],
        why: "H1: as `rebind`, and reads from what is lent",
    },
];

const DEBUG: [Expected; 4] = [
    Expected {
        test: LENT,
        outcome: Outcome::Fails,
        reports: &["KASAN: slab-use-after-free"],
        why: WHY_LENT,
    },
    Expected {
        test: "rust_lazy_kasan.free_after_drm_device",
        outcome: Outcome::Fails,
        reports: &[
            "Memory manager not clean during takedown",
            "KASAN: slab-use-after-free in drm_",
        ],
        why: "H11: as above; its release reads the DRM device",
    },
    Expected {
        test: "rust_devres_lazy_contract.failing_allocation",
        outcome: Outcome::Fails,
        reports: &["drm_WARN_ON(refcount_read(&shmem->pages_use_count))"],
        why: "H4: counts the pages twice if what follows fails",
    },
    Expected {
        test: "rust_lazy_oops",
        outcome: Outcome::Oopses,
        reports: &["Oops: general protection fault", "KASAN: null-ptr-deref"],
        why: "H1: as `rebind`, and reads from what is lent",
    },
];

/// What is expected of the tests that do not simply pass.
fn expected(variant: Variant) -> impl Iterator<Item = &'static Expected> {
    let of_variant = match variant {
        Variant::Fast => &FAST[..],
        Variant::Debug => &DEBUG,
    };
    COMMON.iter().chain(of_variant)
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
        let died = run.problems().contains(&Problem::Died);
        let mut seen = Vec::new();
        for suite in run.suites() {
            seen.extend(suite.parts.iter().map(|test| Self::of(suite, test, died)));
            // It has something to say beside what its tests say.
            if suite.counts() {
                seen.push(Self {
                    test: suite.name.clone(),
                    outcome: outcome(suite, false),
                    reports: suite.splats.iter().filter(|splat| splat.fails()).collect(),
                });
            }
        }

        seen
    }

    fn of(suite: &Test, test: &'a Test, died: bool) -> Self {
        let reports: Vec<_> = reports(test).collect();
        let outcome = outcome(test, died && !reports.is_empty());
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

/// The reports of a test and of its cases that it should be without.
fn reports(test: &Test) -> impl Iterator<Item = &Splat> {
    let mut tests = vec![test];
    let mut at = 0;
    while let Some(test) = tests.get(at).copied() {
        tests.extend(&test.parts);
        at += 1;
    }

    tests
        .into_iter()
        .flat_map(|test| &test.splats)
        .filter(|splat| splat.fails())
}

fn outcome(test: &Test, was_fatal: bool) -> Outcome {
    match test.outcome {
        ktap::Outcome::Passed => Outcome::Passes,
        ktap::Outcome::Failed => Outcome::Fails,
        ktap::Outcome::Skipped(_) => Outcome::Skipped,
        ktap::Outcome::Missing if was_fatal => Outcome::Oopses,
        ktap::Outcome::Missing => Outcome::NoResult,
    }
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
    /// A test that was seen. If it is not known, it has to pass.
    fn new(expected: Option<&Expected>, seen: &Seen<'_>) -> Self {
        let (outcome, reports, why) = expected.map_or((Outcome::Passes, &[][..], ""), |it| {
            (it.outcome, it.reports, it.why)
        });
        let has_reports = seen.has_reports(reports);
        let others = match has_reports {
            true => Vec::new(),
            false => seen.reports.iter().map(|it| it.title.clone()).collect(),
        };

        Self {
            test: seen.test.clone(),
            expected: cell(outcome, reports.len()),
            seen: cell(seen.outcome, seen.reports.len()),
            why,
            differs: seen.outcome != outcome || !has_reports,
            others,
        }
    }

    /// A test that should have been there.
    fn missing(expected: &Expected) -> Self {
        Self {
            test: expected.test.to_owned(),
            expected: cell(expected.outcome, expected.reports.len()),
            seen: "is not there".to_owned(),
            why: expected.why,
            differs: true,
            others: Vec::new(),
        }
    }
}

/// The comparison.
struct Verdict {
    rows: Vec<Row>,
    /// What is wrong with the boots as a whole.
    problems: Vec<String>,
}

impl Verdict {
    fn new(expected: &[&'static Expected], results: &[Results]) -> Self {
        let mut missing = expected.to_vec();
        let mut rows = Vec::new();
        let mut problems = Vec::new();

        for run in results {
            let seen = Seen::all(run);
            let has_oopsed = seen.iter().any(|it| it.outcome == Outcome::Oopses);

            rows.extend(seen.into_iter().map(|seen| {
                let known = missing.iter().position(|it| it.test == seen.test);
                Row::new(known.map(|at| missing.remove(at)), &seen)
            }));
            problems.extend(
                run.outside()
                    .map(|splat| format!("outside of tests: {}", splat.title)),
            );
            problems.extend(
                run.problems()
                    .iter()
                    // A row says so.
                    .filter(|problem| **problem != Problem::Died || !has_oopsed)
                    .map(Problem::to_string),
            );
        }
        rows.extend(missing.into_iter().map(Row::missing));

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

fn cell(outcome: Outcome, reports: usize) -> String {
    match reports {
        0 => outcome.name().to_owned(),
        1 => format!("{}, 1 report", outcome.name()),
        more => format!("{}, {more} reports", outcome.name()),
    }
}

/// Prints what was expected and what was seen, and fails if that is not the same.
pub(crate) fn judge(variant: Variant, results: &[Results]) -> Result<()> {
    let expected: Vec<_> = expected(variant).collect();
    let verdict = Verdict::new(&expected, results);
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
    use super::{
        super::run::Run,
        *, //
    };

    const EXPECTED: [Expected; 4] = [
        Expected {
            test: "lazy.rebind",
            outcome: Outcome::Fails,
            reports: &[],
            why: "H1",
        },
        Expected {
            test: "lazy.imported",
            outcome: Outcome::Fails,
            reports: &["is_imported", "is_imported"],
            why: "H6",
        },
        Expected {
            test: "lazy.allocation",
            outcome: Outcome::Skipped,
            reports: &[],
            why: "H4",
        },
        Expected {
            test: "oops",
            outcome: Outcome::Oopses,
            reports: &["NULL pointer"],
            why: "H1",
        },
    ];

    const UNBIND: &str = "ok 1 unbind\n";
    const REBIND: &str = "not ok 2 rebind\n";
    const IMPORTED: &str = "WARNING: is_imported at a\nWARNING: is_imported at b\n\
                            not ok 3 imported\n";
    const ALLOCATION: &str = "ok 4 allocation # SKIP no failslab\n";
    const OOPS: &str = "BUG: kernel NULL pointer dereference, address: 0\n";
    const END: &str = "Kernel panic - not syncing: VFS: Unable to mount root fs\n";

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
        boot("lazy", tests, &format!("not ok 1 lazy\n{END}"))
    }

    /// What differs, if these are the boots.
    fn differs(results: &[Results]) -> Vec<String> {
        let verdict = Verdict::new(&EXPECTED.each_ref(), results);
        let text = verdict.text();
        let differs: Vec<String> = text
            .lines()
            .filter_map(|line| line.strip_prefix("differs: "))
            .map(str::to_owned)
            .collect();

        assert_eq!(verdict.is_as_expected(), differs.is_empty(), "{text}");
        differs
    }

    /// The same for the boot that most suites share, if the other one oopses.
    fn differs_in_shared(tests: &[&str]) -> Vec<String> {
        differs(&[shared(tests), boot("oops", &[OOPS], "")])
    }

    #[test]
    fn a_table_says_what_was_expected_and_seen() {
        let results = [
            shared(&[UNBIND, REBIND, IMPORTED, ALLOCATION]),
            boot("oops", &[OOPS], ""),
        ];
        let verdict = Verdict::new(&EXPECTED.each_ref(), &results);

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
    fn a_test_that_should_fail_and_passes_differs() {
        assert_eq!(
            differs_in_shared(&[UNBIND, "ok 2 rebind\n", IMPORTED, ALLOCATION]),
            ["lazy.rebind passes, and not: fails"]
        );
    }

    #[test]
    fn a_test_that_should_pass_and_fails_differs() {
        assert_eq!(
            differs_in_shared(&["not ok 1 unbind\n", REBIND, IMPORTED, ALLOCATION]),
            ["lazy.unbind fails, and not: passes"]
        );
        assert_eq!(
            differs_in_shared(&["ok 1 unbind # SKIP no\n", REBIND, IMPORTED, ALLOCATION]),
            ["lazy.unbind is skipped, and not: passes"]
        );
    }

    #[test]
    fn a_test_that_should_be_skipped_and_is_not_differs() {
        for (result, outcome) in [("ok", "passes"), ("not ok", "fails")] {
            let allocation = format!("{result} 4 allocation\n");
            assert_eq!(
                differs_in_shared(&[UNBIND, REBIND, IMPORTED, &allocation]),
                [format!("lazy.allocation {outcome}, and not: is skipped")]
            );
        }
    }

    #[test]
    fn a_test_that_is_not_there_differs() {
        assert_eq!(
            differs_in_shared(&[UNBIND, REBIND, IMPORTED]),
            ["lazy.allocation is not there, and not: is skipped"]
        );
        // One whose result was lost.
        assert_eq!(
            differs_in_shared(&[UNBIND, "", IMPORTED, ALLOCATION]),
            [
                "lazy.(number 2) has no result, and not: passes",
                "lazy.rebind is not there, and not: fails"
            ]
        );
        assert_eq!(
            differs(&[shared(&[UNBIND, REBIND, IMPORTED, ALLOCATION])]),
            ["oops is not there, and not: oopses, 1 report"]
        );
    }

    #[test]
    fn reports_are_expected_one_by_one() {
        let imported = |reports: &str| {
            let imported = format!("{reports}not ok 3 imported\n");
            differs_in_shared(&[UNBIND, REBIND, &imported, ALLOCATION])
        };
        let report = "WARNING: is_imported at a\n";

        assert_eq!(
            imported(report),
            ["lazy.imported fails, 1 report, and not: fails, 2 reports"]
        );
        assert_eq!(
            imported(&report.repeat(3)),
            ["lazy.imported fails, 3 reports, and not: fails, 2 reports"]
        );
        assert_eq!(
            imported(&format!("{report}BUG: KASAN: x\n")),
            ["lazy.imported fails, 2 reports, and not: fails, 2 reports"]
        );
        assert_eq!(
            imported(""),
            ["lazy.imported fails, and not: fails, 2 reports"]
        );
    }

    #[test]
    fn a_report_that_is_not_expected_differs() {
        let kasan = "BUG: KASAN: x\n";
        assert_eq!(
            differs_in_shared(&[UNBIND, &format!("{kasan}{REBIND}"), IMPORTED, ALLOCATION]),
            ["lazy.rebind fails, 1 report, and not: fails"]
        );
        assert_eq!(
            differs_in_shared(&[&format!("{kasan}{UNBIND}"), REBIND, IMPORTED, ALLOCATION]),
            ["lazy.unbind passes, 1 report, and not: passes"]
        );

        // Between the last test and the end of the suite, and after it.
        let tests = [UNBIND, REBIND, IMPORTED, ALLOCATION];
        let oops = || boot("oops", &[OOPS], "");
        let suite = boot("lazy", &tests, &format!("{kasan}not ok 1 lazy\n{END}"));
        assert_eq!(
            differs(&[suite, oops()]),
            ["lazy fails, 1 report, and not: passes"]
        );
        let after = boot("lazy", &tests, &format!("not ok 1 lazy\n{kasan}{END}"));
        assert_eq!(
            differs(&[after, oops()]),
            ["outside of tests: BUG: KASAN: x"]
        );
    }

    #[test]
    fn a_kernel_that_should_die_and_lives_differs() {
        let all = || shared(&[UNBIND, REBIND, IMPORTED, ALLOCATION]);
        let lives = boot(
            "oops",
            &["not ok 1 read\n"],
            &format!("not ok 1 oops\n{END}"),
        );

        assert_eq!(
            differs(&[all(), lives]),
            [
                "oops.read fails, and not: passes",
                "oops is not there, and not: oopses, 1 report"
            ]
        );
        // Nor is it enough that it dies, of something else, or of nothing that is known.
        assert_eq!(
            differs(&[all(), boot("oops", &["BUG: KASAN: x\n"], "")]),
            ["oops oopses, 1 report, and not: oopses, 1 report"]
        );
        let silent = differs(&[all(), boot("oops", &["# nothing\n"], "")]);
        assert_eq!(silent.len(), 3, "{silent:?}");
    }

    #[test]
    fn a_kernel_that_should_live_and_dies_differs() {
        let tests = [UNBIND, REBIND, IMPORTED, ALLOCATION];
        let after = boot("lazy", &tests, "not ok 1 lazy\n");

        assert_eq!(
            differs(&[after, boot("oops", &[OOPS], "")]),
            ["the kernel died before all was done"]
        );
        let oopses = boot("lazy", &[UNBIND, OOPS, IMPORTED, ALLOCATION], "");
        assert!(!differs(&[oopses, boot("oops", &[OOPS], "")]).is_empty());
    }

    #[test]
    fn expectations_are_of_different_tests() {
        for variant in [Variant::Fast, Variant::Debug] {
            let tests: Vec<_> = expected(variant).map(|it| it.test).collect();
            for (at, test) in tests.iter().enumerate() {
                assert!(!tests[at + 1..].contains(test), "{test}");
            }
        }
    }
}
