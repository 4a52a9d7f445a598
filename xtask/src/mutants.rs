// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask mutants`: cargo-mutants breaks the protocol and the macro in one place at a time,
//! and a test has to catch each mutant, unless `docs/mutation.md` says why none does.
//!
//! Quick tests run for all mutants. Then other tests run for those that are left.

use crate::{
    cargo, kernel,
    report::{
        page,
        table::{self, Row},
    },
};
use anyhow::{ensure, Context, Result};
use clap::{Parser, ValueEnum};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};
use xshell::{cmd, Shell};

const HELP: &str = "\
Exit status:
  0  exactly those mutants are left that docs/mutation.md lists
  1  others are left, or one of those is caught, or tests fail without a mutant
  2  wrong usage
  3  skipped: cargo-mutants cannot be downloaded, which says nothing about the code";

/// The mutants to run.
#[derive(Parser)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    /// Only one area. The page is not written then.
    #[arg(long)]
    area: Option<Area>,

    /// Runs only the other tests, for the mutants that the quick tests left the last time.
    #[arg(long)]
    rest: bool,
}

/// Sources that are mutated together.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Area {
    /// The slot's protocol.
    Protocol,
    /// The attribute macro.
    Macros,
}

/// The page with the mutants that no test catches, and its part that this writes.
const PAGE: &str = "docs/mutation.md";
const PART: &str = "mutants";

/// How the row of a listed mutant begins, and what is between its name and the reason.
const ROW: &str = "- `";
const REASON: &str = "`:";

/// The exit statuses of cargo-mutants: all mutants are caught, some are missed, some time out.
const RAN: [i32; 3] = [0, 2, 3];

/// The names that cargo-mutants has for mutants that a test has caught.
const CAUGHT: [&str; 2] = ["CaughtMutant", "Timeout"];

/// Its name for mutants that do not compile.
const UNVIABLE: &str = "Unviable";

/// An area's name, files and tests.
struct Setup {
    name: &'static str,
    folder: &'static str,
    /// The arguments of cargo-mutants for the tests that run for all mutants.
    quick: &'static [&'static str],
    /// Those for the tests that run for the mutants that are left. The tests that compare the text
    /// of the sources are in neither: they would catch every mutant.
    rest: &'static [&'static str],
}

impl Area {
    fn setup(self) -> Setup {
        match self {
            Self::Protocol => Setup {
                name: "protocol",
                folder: "runtime/src/protocol/",
                quick: &["--test-package=devres-lazy", "-C=--lib"],
                rest: &[
                    "--test-package=devres-lazy-loom",
                    "--",
                    "--",
                    "dropped_then_retried",
                    "guard_against_populate",
                    "prepare_against_a_group",
                ],
            },
            Self::Macros => Setup {
                name: "macros",
                folder: "macros/src/",
                quick: &["--test-package=cargo-devres-lazy", "-C=--lib"],
                rest: &[
                    "--test-package=devres-lazy-workspace",
                    "-C=--test=ui",
                    "--",
                    "--",
                    "ui",
                    "trybuild=macro_rules",
                ],
            },
        }
    }
}

/// How the mutants of a run ended: their names, by the words of cargo-mutants.
#[derive(Default)]
struct Outcomes(BTreeMap<String, Vec<String>>);

impl Outcomes {
    /// Reads `outcomes.json`.
    fn read(json: &str) -> Result<Self> {
        let json: Value = serde_json::from_str(json)?;
        let mut outcomes = Self::default();
        for outcome in json["outcomes"].as_array().context("no outcomes")? {
            // Without one, these are the tests of the sources as they are.
            if let Some(name) = outcome["scenario"]["Mutant"]["name"].as_str() {
                let summary = outcome["summary"].as_str().context("no summary")?;
                let names = outcomes.0.entry(summary.to_owned()).or_default();
                names.push(name.to_owned());
            }
        }
        Ok(outcomes)
    }

    /// Keeps only the mutants of these names: cargo-mutants takes fields that are left out for
    /// chosen by any name.
    fn of_those(mut self, names: &[String]) -> Self {
        for of in self.0.values_mut() {
            of.retain(|name| names.contains(name));
        }
        self
    }

    fn of(&self, summary: &str) -> &[String] {
        self.0.get(summary).map_or(&[], Vec::as_slice)
    }

    fn missed(&self) -> &[String] {
        self.of("MissedMutant")
    }
}

/// Runs all mutants, prints the table, and fails if others are left than the page lists.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    let program = kernel::cargo_mutants(shell)?;
    let output = cargo::target_folder(shell)?.join("mutants");
    let mut rows = vec![table::cells(HEADER)];
    let mut left = BTreeSet::new();
    let mut listed = listed(&fs::read_to_string(PAGE).context(PAGE)?)?;
    for area in Area::value_variants() {
        let setup = area.setup();
        if options.area.is_some_and(|only| only != *area) {
            listed.retain(|name| !name.starts_with(setup.folder));
            continue;
        }
        let output = output.join(setup.name);
        let [quick, rest] = ["quick", "rest"].map(|tests| output.join(tests));
        if !options.rest {
            mutate(shell, &program, &setup, setup.quick, &[], &quick)?;
        }
        let quick = outcomes(&quick)?;
        let rest = match quick.missed() {
            [] => Outcomes::default(),
            missed => {
                mutate(shell, &program, &setup, setup.rest, missed, &rest)?;
                outcomes(&rest)?.of_those(missed)
            }
        };
        rows.push(row(setup.name, &quick, &rest));
        left.extend(rest.missed().iter().map(|name| without_place(name)));
    }

    let text = table::text(&rows);
    println!("\n{text}");
    judge(&left, &listed)?;
    if options.area.is_none() {
        page::write(Path::new(PAGE), &[(PART, text)])?;
        println!("written: {PAGE}");
    }
    Ok(())
}

/// Runs tests for all mutants of an area, or only for those named.
fn mutate(
    shell: &Shell,
    program: &Path,
    setup: &Setup,
    tests: &[&str],
    only: &[String],
    output: &Path,
) -> Result<()> {
    shell.create_dir(output)?;
    let only = only.iter().map(|name| regex_lite::escape(name));
    let command = cmd!(shell, "{program} mutants --workspace --cap-lints=true")
        .arg(format!("--file={}**", setup.folder))
        .args(only.map(|name| format!("--re=^{name}$")))
        .arg("--output")
        .arg(output)
        .args(tests)
        // Links in half the time.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_TEST_DEBUG", "0")
        // The edits of the model checker's own mutants may not fit.
        .env("DEVRES_LAZY_LOOM_SOUND", "1");
    println!("$ {command}");
    let status = Command::from(command).status()?;
    let has_run = status.code().is_some_and(|code| RAN.contains(&code));
    ensure!(has_run, "cargo-mutants: {status}");
    Ok(())
}

/// Reads the last run with its output in this folder.
fn outcomes(output: &Path) -> Result<Outcomes> {
    let file = output.join("mutants.out/outcomes.json");
    let json = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    Outcomes::read(&json).with_context(|| file.display().to_string())
}

/// The cells above those of [`row()`].
const HEADER: [&str; 6] = [
    "area",
    "mutants",
    "do not compile",
    "caught by quick tests",
    "caught by other tests",
    "not caught",
];

/// The row of an area.
fn row(name: &str, quick: &Outcomes, rest: &Outcomes) -> Row {
    let sum = |outcomes: &Outcomes| -> usize {
        let caught = CAUGHT.iter().map(|summary| outcomes.of(summary).len());
        caught.sum()
    };
    let counts = [
        quick.0.values().map(Vec::len).sum(),
        quick.of(UNVIABLE).len(),
        sum(quick),
        // A test that does not compile with the mutant has caught it.
        sum(rest) + rest.of(UNVIABLE).len(),
        rest.missed().len(),
    ];
    let counts = counts.map(|count| count.to_string());
    table::cells([name].into_iter().chain(counts.iter().map(String::as_str)))
}

/// Returns the name of a mutant without its line and column, which other edits change.
fn without_place(name: &str) -> String {
    let mut parts = name.splitn(4, ':');
    match [(); 4].map(|()| parts.next()) {
        [Some(file), Some(_), Some(_), Some(what)] => format!("{file}:{what}"),
        _ => name.to_owned(),
    }
}

/// Reads the names of the mutants that the page lists.
fn listed(page: &str) -> Result<BTreeSet<String>> {
    let rows = page.lines().filter_map(|line| line.strip_prefix(ROW));
    let name = |row: &str| {
        let (name, _) = row
            .split_once(REASON)
            .with_context(|| format!("no reason: {row}"))?;
        Ok(name.to_owned())
    };
    rows.map(name).collect()
}

/// Fails unless exactly those mutants are left that are listed.
fn judge(left: &BTreeSet<String>, listed: &BTreeSet<String>) -> Result<()> {
    let [missed, caught]: [String; 2] = [(left, listed), (listed, left)].map(|(these, others)| {
        let lines = these.difference(others).map(|name| format!("\n{name}"));
        lines.collect()
    });
    ensure!(
        missed.is_empty(),
        "no test catches these, which {PAGE} does not list:{missed}"
    );
    ensure!(
        caught.is_empty(),
        "these are caught or gone, and {PAGE} lists them:{caught}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NAME: &str = "runtime/src/a.rs: replace | with ^ in tag";

    fn some() -> Outcomes {
        let outcome = |place: &str, summary: &str| {
            let name = NAME.replacen(':', place, 1);
            json!({ "scenario": { "Mutant": { "name": name } }, "summary": summary })
        };
        let json = json!({ "outcomes": [
            { "scenario": "Baseline", "summary": "Success" },
            outcome(":1:2:", "MissedMutant"),
            outcome(":3:4:", "CaughtMutant"),
            outcome(":5:6:", "Timeout"),
            outcome(":7:8:", "Unviable"),
        ]});
        Outcomes::read(&json.to_string()).unwrap()
    }

    #[test]
    fn outcomes_are_counted() {
        let outcomes = some();
        assert_eq!(outcomes.missed(), [NAME.replacen(':', ":1:2:", 1)]);
        assert_eq!(without_place(&outcomes.missed()[0]), NAME);
        let missed = outcomes.missed().to_vec();
        let of_those = some().of_those(&missed);
        assert_eq!(
            row("a", &outcomes, &of_those),
            ["a", "4", "1", "2", "0", "1"]
        );
        assert_eq!(
            row("a", &outcomes, &outcomes),
            ["a", "4", "1", "2", "3", "1"]
        );
    }

    #[test]
    fn exactly_those_listed_are_left() {
        let page = format!("text\n\n- `{NAME}`: the bits\n  are zero.\n");
        let listed = listed(&page).unwrap();
        let none = BTreeSet::new();

        judge(&BTreeSet::from([NAME.to_owned()]), &listed).unwrap();
        assert!(judge(&none, &listed).is_err() && judge(&listed, &none).is_err());
        assert!(super::listed(&page.replace("`: ", "`")).is_err());
    }
}
