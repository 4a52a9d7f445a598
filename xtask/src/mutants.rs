// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask mutants`: cargo-mutants breaks the protocol and the macro in one place at a time,
//! and a test has to catch each mutant, unless `docs/mutation.md` says why none can.
//!
//! Quick tests run for all mutants. Then all tests of an area run for those that are left.

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
    path::{Path, PathBuf},
};
use xshell::{cmd, Shell};

const HELP: &str = "\
Exit status:
  0  exactly those mutants are left that docs/mutation.md says are equivalent
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

    /// Takes what the quick tests have caught from the last run, and runs all tests for the rest.
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

/// The page with the equivalent mutants, and its part that this writes.
const PAGE: &str = "docs/mutation.md";
const PART: &str = "mutants";

/// How a row of an equivalent mutant begins, and what is between its name and the reason.
const ROW: &str = "- `";
const REASON: &str = "`: ";

/// The exit statuses of cargo-mutants: all mutants are caught, some are missed, some time out.
const RAN: [i32; 3] = [0, 2, 3];

impl Area {
    /// The name, the files, and the tests that are quick and all: arguments of cargo-mutants.
    fn setup(self) -> (&'static str, &'static str, [&'static [&'static str]; 2]) {
        match self {
            Self::Protocol => (
                "protocol",
                "runtime/src/protocol/**",
                [
                    &["--test-package=devres-lazy", "-C=--lib"],
                    // Not the tests that compare the text of the sources.
                    &[
                        "--test-package=devres-lazy",
                        "--test-package=devres-lazy-workspace",
                        "-C=--lib",
                    ],
                ],
            ),
            Self::Macros => (
                "macros",
                "macros/src/**",
                [
                    &[
                        "--test-package=cargo-devres-lazy",
                        "-C=--lib",
                        "-C=--test=expander",
                    ],
                    &[
                        "--test-package=cargo-devres-lazy",
                        "--test-package=devres-lazy-workspace",
                        "-C=--lib",
                        "-C=--test=expander",
                        "-C=--test=ui",
                    ],
                ],
            ),
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
    let folder = cargo::target_folder(shell)?.join("mutants");
    let chosen = |area: &&Area| options.area.is_none_or(|only| only == **area);
    let mut rows = vec![table::cells([
        "area",
        "mutants",
        "do not compile",
        "caught by quick tests",
        "caught by all tests",
        "equivalent",
    ])];
    let mut left = BTreeSet::new();
    let mut files = Vec::new();
    for area in Area::value_variants().iter().filter(chosen) {
        let (name, glob, [quick, all]) = area.setup();
        let run = |tests: &str, arguments, only: &[String]| {
            let folder = folder.join(name).join(tests);
            mutate(shell, &program, glob, arguments, only, &folder)
        };
        let quick = match options.rest {
            true => outcomes(&folder.join(name).join("quick"))?,
            false => run("quick", quick, &[])?,
        };
        let all = match quick.missed() {
            [] => Outcomes::default(),
            missed => run("all", all, missed)?,
        };
        rows.push(row(name, &quick, &all));
        left.extend(all.missed().iter().map(|name| without_place(name)));
        files.push(glob.trim_end_matches("**"));
    }

    let text = table::text(&rows);
    println!("\n{text}");
    let listed = listed(&fs::read_to_string(PAGE).context(PAGE)?)?;
    let is_of_area = |name: &&String| files.iter().any(|file| name.starts_with(file));
    judge(&left, &listed.iter().filter(is_of_area).cloned().collect())?;
    if options.area.is_none() {
        page::write(Path::new(PAGE), &[(PART, text)])?;
        println!("written: {PAGE}");
    }
    Ok(())
}

/// Runs tests for mutants: all, or only those named.
fn mutate(
    shell: &Shell,
    program: &Path,
    files: &str,
    tests: &[&str],
    only: &[String],
    folder: &PathBuf,
) -> Result<Outcomes> {
    let only = only
        .iter()
        .map(|name| format!("--re=^{}$", regex_lite::escape(name)));
    shell.create_dir(folder)?;
    let command = cmd!(
        shell,
        "{program} mutants --workspace --file {files} {tests...}"
    )
    .args(only)
    .args(["--cap-lints=true", "--output"])
    .arg(folder)
    // Links in half the time.
    .env("CARGO_PROFILE_DEV_DEBUG", "0")
    .env("CARGO_PROFILE_TEST_DEBUG", "0");
    println!("$ {command}");
    let status = std::process::Command::from(command).status()?;
    ensure!(
        status.code().is_some_and(|code| RAN.contains(&code)),
        "cargo-mutants: {status}"
    );
    outcomes(folder)
}

/// Reads how the mutants ended that ran last with their output in a folder.
fn outcomes(folder: &Path) -> Result<Outcomes> {
    let file = folder.join("mutants.out/outcomes.json");
    let json = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    Outcomes::read(&json).with_context(|| file.display().to_string())
}

/// The row of an area. A test that does not end has caught its mutant.
fn row(name: &str, quick: &Outcomes, all: &Outcomes) -> Row {
    let sum = |outcomes: &Outcomes, of: &[&str]| -> usize {
        of.iter().map(|summary| outcomes.of(summary).len()).sum()
    };
    const CAUGHT: [&str; 2] = ["CaughtMutant", "Timeout"];
    let counts = [
        quick.0.values().map(Vec::len).sum(),
        quick.of("Unviable").len() + all.of("Unviable").len(),
        sum(quick, &CAUGHT),
        sum(all, &CAUGHT),
        all.missed().len(),
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

/// Reads the names of the equivalent mutants off the page.
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
    let lines = |a: &BTreeSet<String>, b| a.difference(b).map(|it| format!("\n{it}")).collect();
    let [missed, caught]: [String; 2] = [lines(left, listed), lines(listed, left)];
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
