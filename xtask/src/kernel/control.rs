// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The expected results of the tests on the object by hand: they fail where Linux 7.3 falls short,
//! and nowhere else.

use super::{
    arch::Arch,
    flavour::Variant,
    ktap::{Outcome, Test},
    run::{self, Results},
    splat::Splat,
};
use crate::report::table::{self, Row};
use anyhow::{ensure, Result};

/// A test that does not simply pass, or a suite if the kernel dies of it: KUnit does not say which
/// test it begins.
///
/// How it goes is in the words of [`outcome()`]. There is one text for each report of the kernel
/// during the test; the report contains it. The last text says why.
type Expected = (String, &'static str, &'static [&'static str], &'static str);

/// The tests that do not simply pass, with their expected results.
fn expected(arch: Arch, variant: Variant) -> Vec<Expected> {
    const IMPORTED: &str = "drm_WARN_ON(drm_gem_is_imported(obj))";
    const UNCLEAN: &str = "Memory manager not clean during takedown";
    const MISCOUNTED: &str = "drm_WARN_ON(refcount_read(&shmem->pages_use_count))";

    let is_debug = variant == Variant::Debug;
    let contract = |test, outcome, reports, why| {
        let test = format!("rust_devres_lazy_contract.{test}");
        (test, outcome, reports, why)
    };
    let fails = |test, reports, why| contract(test, "fails", reports, why);
    let debug = |reports| if is_debug { reports } else { &[][..] };

    let mut tests = vec![
        fails(
            "rebind",
            &[][..],
            "H1: lends what unbind has dropped, after a rebind",
        ),
        fails(
            "access_during_unbind",
            &[],
            "H2: lends what unbind has dropped, before that is over",
        ),
        // KASAN reports what this test reads.
        fails(
            "lent_to_a_callback",
            debug(&["KASAN: slab-use-after-free"]),
            "H2: drops what a callback uses, before the callback has returned",
        ),
        fails(
            "object_outlives_drm_device",
            &[],
            "H3, H11: does not keep the DRM device that unmapping and the release read",
        ),
        fails(
            "last_holder",
            &[],
            "H11: as above; is not freed as the last holder, which would read freed memory",
        ),
        fails(
            "last_holder_after_unbind",
            &[UNCLEAN],
            "H11: the DRM device is freed before its object, which is then leaked",
        ),
        fails(
            "last_holder_access",
            &[],
            "H11: as above; is not mapped as the last holder",
        ),
        fails(
            "registration_data",
            &[],
            "H11: as above; is not put into registration data",
        ),
        fails(
            "imported_object",
            &[IMPORTED, IMPORTED],
            "H6: maps the exporter's table again",
        ),
        (
            "rust_lazy_oops".to_owned(),
            "oopses",
            match (arch, is_debug) {
                (Arch::X86, true) => &["Oops: general protection fault", "KASAN: null-ptr-deref"],
                (Arch::X86, false) => &["BUG: kernel NULL pointer dereference"],
                (Arch::Arm64, _) => &["Unable to handle kernel NULL pointer dereference"],
                (Arch::Um, _) => &["Segfault with no mm"],
            },
            "H1: as `rebind`, and reads the dropped table",
        ),
    ];
    let allocation = "failing_allocation";
    if is_debug {
        let why = "H4: counts the pages twice if what follows fails";
        tests.push(fails(allocation, &[MISCOUNTED], why));
        tests.push((
            "rust_lazy_kasan.free_after_drm_device".to_owned(),
            "fails",
            &[UNCLEAN, "KASAN: slab-use-after-free in drm_"],
            "H11: as above; its release reads the DRM device",
        ));
    } else {
        let why = "H4: needs failslab, as the debug variant has";
        tests.push(contract(allocation, "is skipped", &[], why));
    }
    tests
}

/// How a test went.
pub(super) fn outcome(test: &Test, was_fatal: bool) -> &'static str {
    match test.outcome {
        Outcome::Passed => "passes",
        Outcome::Failed => "fails",
        Outcome::Skipped(_) => "is skipped",
        Outcome::Missing if was_fatal => "oopses",
        Outcome::Missing => "has no result",
    }
}

/// How a test goes, with so many reports.
pub(super) fn in_words(outcome: &str, reports: usize) -> String {
    match reports {
        0 => outcome.to_owned(),
        1 => format!("{outcome}, 1 report"),
        more => format!("{outcome}, {more} reports"),
    }
}

/// Whether the reports are those that were expected, in any order.
fn are(reports: &[&Splat], expected: &[&str]) -> bool {
    let mut left = reports.to_vec();
    let all_came = expected.iter().all(|contains| {
        let found = left.iter().position(|splat| splat.contains(contains));
        found.map(|at| left.remove(at)).is_some()
    });

    all_came && left.is_empty()
}

/// Compares what was expected with what was seen. Returns a table, and lines about what differs.
fn compare(mut expected: Vec<Expected>, results: &[Results]) -> (Vec<Row>, Vec<String>) {
    let mut tests = Vec::new();
    let mut differences = Vec::new();
    for run in results {
        let mut has_oopsed = false;
        for (suite, test) in run.tests() {
            let mut reports = match suite {
                "" => test.splats.iter().collect(),
                _ => test.all_splats(),
            };
            reports.retain(|splat| splat.fails());
            let outcome = outcome(test, run.died && !suite.is_empty() && !reports.is_empty());
            has_oopsed |= outcome == "oopses";
            let name = match outcome {
                "oopses" => suite.to_owned(),
                _ => run::name(suite, test),
            };
            let known = expected.iter().position(|(test, ..)| *test == name);
            // One that is not known has to pass.
            let passes = || (name, "passes", &[][..], "");
            let known = known.map_or_else(passes, |at| expected.remove(at));
            tests.push((known, outcome, reports));
        }
        // A row says so if it has oopsed.
        if !(run.died && has_oopsed) {
            differences.extend(run.problems.iter().cloned());
        }
    }
    let missing = expected.into_iter();
    tests.extend(missing.map(|it| (it, "is not there", Vec::new())));

    let mut table = vec![table::cells(["test", "expected", "seen", "why"])];
    for ((test, outcome, contain, why), seen, reports) in tests {
        let has_reports = are(&reports, contain);
        let expected = in_words(outcome, contain.len());
        let seen = in_words(seen, reports.len());
        if expected != seen || !has_reports {
            differences.push(format!("{test} {seen}, and not: {expected}"));
            let others = reports.iter().filter(|_| !has_reports);
            differences.extend(others.map(|splat| format!("in {test}: {}", splat.title)));
        }
        table.push(vec![test, expected, seen, why.to_owned()]);
    }
    (table, differences)
}

/// Prints what was expected and what was seen, and fails if that is not the same.
pub(crate) fn judge(arch: Arch, variant: Variant, results: &[Results]) -> Result<()> {
    let (table, differences) = compare(expected(arch, variant), results);
    println!("{}", table::text(&table));
    for difference in &differences {
        println!("differs: {difference}");
    }

    ensure!(
        differences.is_empty(),
        "the control is not as expected: either the tests do not find what is wrong with the \
         object by hand, or this Linux has another one"
    );
    println!("the control fails where it should, and nowhere else");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{
        super::{ktap::tests::console, run::Run},
        *,
    };

    fn expected() -> Vec<Expected> {
        let new = |test: &str, outcome, reports, why| (test.to_owned(), outcome, reports, why);
        vec![
            new("lazy.rebind", "fails", &[][..], "H1"),
            new("lazy.imported", "fails", &["is_imported"; 2], "H6"),
            new("lazy.allocation", "is skipped", &[], "H4"),
            new("oops", "oopses", &["NULL pointer"], "H1"),
        ]
    }

    const UNBIND: &str = "ok 1 unbind\n";
    const REBIND: &str = "not ok 2 rebind\n";
    const IMPORTED: &str = "WARNING: is_imported at a\nWARNING: is_imported at b\n\
                            not ok 3 imported\n";
    const ALLOCATION: &str = "ok 4 allocation # SKIP no failslab\n";
    const ALL: [&str; 4] = [UNBIND, REBIND, IMPORTED, ALLOCATION];
    const OOPS: &str = "BUG: kernel NULL pointer dereference, address: 0\n";
    const PANIC: &str = "Kernel panic - not syncing: VFS: Unable to mount root fs\n";

    /// A boot with one suite.
    fn boot(suite: &str, tests: &[&str], end: &str) -> Results {
        let mut run = Run::default();
        for line in console(suite, tests, end).lines() {
            run.line(line);
        }
        run.finish(None)
    }

    /// The boot that most suites share.
    fn shared(tests: &[&str]) -> Results {
        boot("lazy", tests, &format!("not ok 1 lazy\n{PANIC}"))
    }

    /// The boot that the kernel does not survive.
    fn oops() -> Results {
        boot("oops", &[OOPS], "")
    }

    /// Returns the differences with these boots, without the titles of reports.
    fn differs(boots: &[Results]) -> String {
        let mut differences = compare(expected(), boots).1;
        differences.retain(|text| !text.starts_with("in "));
        differences.join("; ")
    }

    #[test]
    fn a_table_says_what_was_expected_and_seen() {
        let (table, differences) = compare(expected(), &[shared(&ALL), oops()]);

        assert_eq!(
            table::text(&table),
            "\
| test            | expected         | seen             | why |
|-----------------|------------------|------------------|-----|
| lazy.unbind     | passes           | passes           |     |
| lazy.rebind     | fails            | fails            | H1  |
| lazy.imported   | fails, 2 reports | fails, 2 reports | H6  |
| lazy.allocation | is skipped       | is skipped       | H4  |
| oops            | oopses, 1 report | oopses, 1 report | H1  |
"
        );
        assert_eq!(differences, [""; 0]);
    }

    #[test]
    fn a_test_that_ends_otherwise_differs() {
        let once = "WARNING: is_imported\nnot ok 3 imported\n";
        let another = "WARNING: is_imported\nBUG: KASAN: x\nnot ok 3 imported\n";
        let thrice = format!("WARNING: is_imported\n{IMPORTED}");

        for (test, instead, seen) in [
            // One that should fail, be skipped, or pass, does not.
            (1, "ok 2 rebind", "rebind passes"),
            (0, "not ok 1 unbind", "unbind fails"),
            (0, "ok 1 unbind # SKIP", "unbind is skipped"),
            (3, "ok 4 allocation", "allocation passes"),
            (3, "not ok 4 allocation", "allocation fails"),
            // Reports are expected one by one.
            (2, "not ok 3 imported", "imported fails"),
            (2, once, "imported fails, 1 report"),
            (2, &thrice, "imported fails, 3 reports"),
            (2, another, "imported fails, 2 reports"),
            (1, "BUG: x\nnot ok 2 rebind", "rebind fails, 1 report"),
            (0, "BUG: x\nok 1 unbind", "unbind passes, 1 report"),
        ] {
            let expected = ["passes", "fails", "fails, 2 reports", "is skipped"][test];
            let mut tests = ALL;
            tests[test] = instead;
            let boots = [shared(&tests), oops()];
            assert_eq!(differs(&boots), format!("lazy.{seen}, and not: {expected}"));
        }
    }

    #[test]
    fn a_boot_that_ends_otherwise_differs() {
        let lives = format!("not ok 1 oops\n{PANIC}");
        let report = format!("BUG: KASAN: x\nnot ok 1 lazy\n{PANIC}");
        let report_after = format!("not ok 1 lazy\nBUG: KASAN: x\n{PANIC}");
        let oops_within = [UNBIND, OOPS, IMPORTED, ALLOCATION];

        for (boots, expected) in [
            (
                [shared(&ALL[..3]), oops()],
                "lazy.allocation is not there, and not: is skipped",
            ),
            (
                [shared(&[UNBIND, "", IMPORTED, ALLOCATION]), oops()],
                "lazy.(number 2) has no result, and not: passes; \
                 lazy.rebind is not there, and not: fails",
            ),
            // A report between the last test and the end of the suite, and after it.
            (
                [boot("lazy", &ALL, &report), oops()],
                "lazy fails, 1 report, and not: passes",
            ),
            (
                [boot("lazy", &ALL, &report_after), oops()],
                "(outside of tests) passes, 1 report, and not: passes",
            ),
            // A kernel that should live, and dies.
            (
                [boot("lazy", &ALL, "not ok 1 lazy\n"), oops()],
                "the kernel died before all was done",
            ),
            (
                [boot("lazy", &oops_within, ""), oops()],
                "the kernel died before all was done; \
                 lazy.(number 2) has no result, and not: passes; \
                 lazy.imported fails, 3 reports, and not: fails, 2 reports; \
                 lazy.rebind is not there, and not: fails",
            ),
            // One that should die, and lives, or dies of something else.
            (
                [shared(&ALL), boot("oops", &["not ok 1 read\n"], &lives)],
                "oops.read fails, and not: passes; \
                 oops is not there, and not: oopses, 1 report",
            ),
            (
                [shared(&ALL), boot("oops", &["BUG: KASAN: x"], "")],
                "oops oopses, 1 report, and not: oopses, 1 report",
            ),
            (
                [shared(&ALL), boot("oops", &["# nothing"], "")],
                "the kernel died before all was done; \
                 oops.(number 1, the last) has no result, and not: passes; \
                 oops is not there, and not: oopses, 1 report",
            ),
        ] {
            assert_eq!(differs(&boots), expected);
        }
        let of_one = differs(&[shared(&ALL)]);
        assert_eq!(of_one, "oops is not there, and not: oopses, 1 report");
        let oops = boot("oops", &["BUG: KASAN: x"], "");
        assert!(compare(expected(), &[oops])
            .1
            .contains(&"in oops: BUG: KASAN: x".to_owned()));
    }
}
