// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask kernel compare`: the same suites on the host and in the kernel.
//!
//! The suites are the same files. The host runtime is a model of the kernel: where a test ends
//! differently in the two, the model is wrong, so that is a failure.

use super::{
    cache::Cache, flavour::Variant, hardware::Hardware, job, ktap::Outcome, pattern::pattern,
    prepare::Source, run::Results, spinner, test,
};
use crate::report::table;
use anyhow::{ensure, Result};
use clap::Parser;
use regex_lite::Regex;
use std::{collections::BTreeMap, mem, path::Path, process::Command, sync::LazyLock};
use xshell::Shell;

#[derive(Parser)]
pub(crate) struct Options {
    #[command(flatten)]
    source: Source,

    /// How the kernel is configured.
    #[arg(long, value_enum, default_value_t = Variant::Fast)]
    variant: Variant,

    #[command(flatten)]
    hardware: Hardware,

    /// Compares the suite of the contract over the objects by hand, which fail in the same tests.
    #[arg(long)]
    control: bool,
}

/// Suites that one side may be without, and why.
const OF_ONE_SIDE: [(&str, &str); 5] = [
    (
        "rust_devres_lazy_gem_dma",
        "the host has no model of the C helper",
    ),
    (
        "rust_devres_lazy_prime",
        "what DRM asks of a driver for user space, which the host has not",
    ),
    (
        "rust_lazy_kasan",
        "a boot of its own with KASAN, which reports once",
    ),
    (
        "rust_lazy_lockdep",
        "a boot of its own with lockdep, which reports once",
    ),
    (
        "rust_lazy_oops",
        "a boot of its own for the object by hand, which ends in an oops",
    ),
];

/// The tests on the host: those of the library and of the sample, which is another crate.
const SUITES: [(&[&str], &str); 2] = [
    (
        &["--package", "devres-lazy", "--lib", "kunit"],
        "host-suites.log",
    ),
    (&["--test", "sample"], "host-sample.log"),
];

/// The same for the object by hand: the suite of the contract.
const BY_HAND: [(&[&str], &str); 1] = [(&["--test", "mutants", "contract::"], "host-by-hand.log")];

/// The prefixes of our suites.
const OURS: [&str; 2] = ["rust_devres_lazy_", "rust_lazy_"];

/// Runs both, prints the table, and fails if they differ.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    let logs = Cache::open()?.path("logs");
    let mut table = Table::default();
    let tests: &[_] = if options.control { &BY_HAND } else { &SUITES };
    for (tests, log) in tests {
        on_host(shell, &mut table, tests, &logs.join(log))?;
    }
    let results = test::execute(
        shell,
        &test::Options {
            source: options.source.clone(),
            variant: options.variant,
            hardware: options.hardware,
            control: options.control,
            ..test::Options::default()
        },
    )?;
    for suite in results.iter().flat_map(|run| &run.suites) {
        for test in &suite.parts {
            let name = format!("{}.{}", suite.name, test.name);
            let outcome = match test.fails() {
                true => Outcome::Failed,
                false => test.outcome.clone(),
            };
            table.add(Side::Kernel, &name, outcome)?;
        }
    }

    let (text, differences) = table.compare();
    print!("\n{text}");
    for difference in &differences {
        println!("DIFFERENT {difference}");
    }
    ensure!(
        differences.is_empty(),
        "{} outcomes differ: the host runtime is not as the kernel is",
        differences.len()
    );
    ensure!(
        options.control || results.iter().all(Results::held),
        "host and kernel agree, and the run in the kernel has failed"
    );
    println!("host and kernel agree");
    Ok(())
}

/// Runs tests on the host, and adds the outcomes that they print. A test that fails is one of them.
fn on_host(shell: &Shell, table: &mut Table, tests: &[&str], log: &Path) -> Result<()> {
    let arguments = [&["test"], tests, &["--", "--show-output"]].concat();
    let _spinner = spinner(format!("cargo {}", arguments.join(" ")));
    let mut cargo = Command::new("cargo");
    cargo.current_dir(shell.current_dir()).args(&arguments);
    job::failure(&mut cargo, log)?;

    let before = table.0.len();
    ensure!(
        table.add_host(&job::text(log)?)? > before,
        "nothing was tested on the host, see {}:\n{}",
        log.display(),
        job::tail(log, 20)
    );
    Ok(())
}

/// How a test ended, in a word.
fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "ok",
        Outcome::Failed => "FAIL",
        Outcome::Skipped(_) => "skip",
        Outcome::Missing => "-",
    }
}

/// The line that a suite prints for a test on the host.
static OF_HOST: LazyLock<Regex> = pattern!(r"(?m)^# kunit: (\S+) (ok|not ok)(?: # SKIP (.*))?$");

/// Where a test ran.
#[derive(Clone, Copy)]
enum Side {
    Host,
    Kernel,
}

/// The outcomes on both sides, by suite and test.
#[derive(Default)]
struct Table(BTreeMap<String, [Outcome; 2]>);

impl Table {
    /// Adds an outcome, if the suite is ours. A name says which test it is, so there cannot be two.
    fn add(&mut self, side: Side, name: &str, outcome: Outcome) -> Result<()> {
        if OURS.iter().any(|ours| name.starts_with(ours)) {
            let outcomes = self.0.entry(name.to_owned()).or_default();
            ensure!(
                mem::replace(&mut outcomes[side as usize], outcome) == Outcome::Missing,
                "there are two tests with the name `{name}`"
            );
        }
        Ok(())
    }

    /// Adds what the suites print on the host. Returns how many tests it knows then.
    fn add_host(&mut self, text: &str) -> Result<usize> {
        for test in OF_HOST.captures_iter(text) {
            let outcome = match (&test[2], test.get(3)) {
                ("not ok", _) => Outcome::Failed,
                (_, Some(why)) => Outcome::Skipped(why.as_str().to_owned()),
                (_, None) => Outcome::Passed,
            };
            self.add(Side::Host, &test[1], outcome)?;
        }
        Ok(self.0.len())
    }

    /// Why a test is on one side only, if it is and may be.
    fn excuse(name: &str, outcomes: &[Outcome; 2]) -> Option<&'static str> {
        let (suite, _) = name.split_once('.')?;
        let (_, why) = OF_ONE_SIDE.iter().find(|(of_one, _)| *of_one == suite)?;
        let missing = outcomes.iter().filter(|it| **it == Outcome::Missing);
        (missing.count() == 1).then_some(*why)
    }

    /// Returns the text of the table, and the tests with different outcomes, a sentence for each. A
    /// test that was skipped on one side has no outcome there.
    fn compare(&self) -> (String, Vec<String>) {
        let mut rows = vec![table::cells(["test", "host", "kernel"])];
        let mut notes = String::new();
        let mut differences = Vec::new();
        for (name, outcomes) in &self.0 {
            let words @ [host, kernel] = outcomes.each_ref().map(word);
            rows.push(table::cells([name, host, kernel]));
            for (side, outcome) in ["host", "kernel"].into_iter().zip(outcomes) {
                if let Outcome::Skipped(why) = outcome {
                    notes += &format!("skip, {side}: {name}: {why}\n");
                }
            }
            if let Some(why) = Self::excuse(name, outcomes) {
                notes += &format!("-: {name}: {why}\n");
            } else if host != kernel && !words.contains(&"skip") {
                differences.push(format!(
                    "{name}: {host} on the host, {kernel} in the kernel"
                ));
            }
        }
        (format!("{}\n{notes}", table::text(&rows)), differences)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_compared() {
        let (ok, fail, none) = (Outcome::Passed, Outcome::Failed, Outcome::Missing);
        let skip = Outcome::Skipped("needs failslab".to_owned());
        for (host, kernel, is_different) in [
            (&ok, &ok, false),
            (&fail, &fail, false),
            (&ok, &fail, true),
            (&fail, &ok, true),
            (&ok, &none, true),
            (&none, &fail, true),
            // A test that was skipped has no outcome.
            (&skip, &skip, false),
            (&skip, &fail, false),
            (&ok, &skip, false),
            (&skip, &none, false),
            (&none, &skip, false),
        ] {
            let differ = |name: &str| {
                let outcomes = [host.clone(), kernel.clone()];
                let table = Table([(name.to_owned(), outcomes)].into());
                !table.compare().1.is_empty()
            };
            let text = format!("{host:?} {kernel:?}");
            assert_eq!(differ("rust_lazy_slot.unbind"), is_different, "{text}");
            // One side may be without it; what is on both sides is compared.
            let is_on_both = *host != none && *kernel != none;
            let expected = is_different && is_on_both;
            assert_eq!(differ("rust_lazy_oops.unbind"), expected, "{text}");
        }
    }

    #[test]
    fn what_suites_print_is_read() {
        let text = "\
running 3 tests
test devres::lazy_kunit::tests::unbind ... ok

---- devres::lazy_kunit::tests::unbind stdout ----
# kunit: rust_lazy_oops.unbind ok
# kunit: another.unbind ok
# kunit: rust_lazy_slot.rebind not ok
# kunit: rust_lazy_slot.recursion ok # SKIP needs lockdep
";
        let mut table = Table::default();
        assert_eq!(table.add_host("error: could not compile\n").unwrap(), 0);
        assert_eq!(table.add_host(text).unwrap(), 3);
        assert!(table
            .add_host("# kunit: rust_lazy_oops.unbind ok\n")
            .is_err());
        table
            .add(Side::Kernel, "rust_lazy_slot.rebind", Outcome::Passed)
            .unwrap();

        let (text, differences) = table.compare();
        assert_eq!(
            text,
            "\
| test                     | host | kernel |
|--------------------------|------|--------|
| rust_lazy_oops.unbind    | ok   | -      |
| rust_lazy_slot.rebind    | FAIL | ok     |
| rust_lazy_slot.recursion | skip | -      |

-: rust_lazy_oops.unbind: a boot of its own for the object by hand, which ends in an oops
skip, host: rust_lazy_slot.recursion: needs lockdep
"
        );
        let different = "rust_lazy_slot.rebind: FAIL on the host, ok in the kernel";
        assert_eq!(differences, [different]);
    }
}
