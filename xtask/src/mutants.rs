// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask mutants`: cargo-mutants breaks the protocol and the macro in one place at a time,
//! and a test has to catch each mutant, unless `docs/mutation.md` says why none does.
//!
//! Quick tests run for all mutants. Then other tests run for those that are left.

use crate::{
    cargo, exit,
    kernel::{self, pattern::pattern},
    report::{page, table},
};
use anyhow::{ensure, Context, Result};
use clap::Parser;
use regex_lite::Regex;
use std::{collections::BTreeSet, fs, path::Path, process::Command, sync::LazyLock};
use xshell::{cmd, Shell};

/// The mutants to run.
#[derive(Parser)]
#[command(after_help = exit::HELP)]
pub(crate) struct Options {
    /// Only the slot's protocol, or only the attribute macro. The page is not written then.
    #[arg(long, value_parser = AREAS.map(|area| area.name))]
    area: Option<String>,

    /// Runs only the other tests, for the mutants that the quick tests left the last time.
    #[arg(long)]
    rest: bool,
}

/// The page with the mutants that no test catches, and its part that this writes.
const PAGE: &str = "docs/mutation.md";
const PART: &str = "mutants";

/// How the row of a listed mutant begins, and what is between its name and the reason.
const ROW: &str = "- `";
const REASON: &str = "`:";

/// The exit statuses of cargo-mutants: all mutants are caught, some are missed, some time out.
const RAN: [i32; 3] = [0, 2, 3];

/// Sources that are mutated together, and their tests.
struct Area {
    name: &'static str,
    folder: &'static str,
    /// The arguments of cargo-mutants for the tests that run for all mutants.
    quick: &'static [&'static str],
    /// Those for the tests that run for the mutants that are left. The tests that compare the text
    /// of the sources are in neither: they would catch every mutant.
    rest: &'static [&'static str],
}

const AREAS: [Area; 2] = [
    Area {
        name: "protocol",
        folder: "runtime/src/protocol/",
        quick: &["--test-package=devres-lazy", "-C=--lib"],
        rest: &[
            "--test-package=devres-lazy-loom",
            "--",
            "--",
            "dropped_then_retried",
            "guard_against_populate",
            "guard_against_unbind",
            "prepare_against_a_group",
        ],
    },
    Area {
        name: "macros",
        folder: "macros/src/",
        quick: &["--test-package=cargo-devres-lazy", "-C=--lib"],
        rest: &[
            "--test-package=devres-lazy-workspace",
            // The baseline would be of the macro's own package, which has no such test.
            "--baseline=skip",
            "--timeout=300",
            "-C=--test=ui",
            "--",
            "--",
            "ui",
            "trybuild=macro_rules",
        ],
    },
];

/// The names of the mutants of a run, by the way that they ended.
#[derive(Default)]
struct Outcomes {
    caught: Vec<String>,
    unviable: Vec<String>,
    missed: Vec<String>,
}

impl Outcomes {
    /// Reads the lists that cargo-mutants has written below a folder.
    fn read(folder: &Path) -> Result<Self> {
        let list = |name: &str| -> Result<Vec<String>> {
            let file = folder.join("mutants.out").join(name);
            let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            Ok(text.lines().map(str::to_owned).collect())
        };
        Ok(Self {
            caught: [list("caught.txt")?, list("timeout.txt")?].concat(),
            unviable: list("unviable.txt")?,
            missed: list("missed.txt")?,
        })
    }

    /// Keeps only the mutants of these names: cargo-mutants takes fields that are left out for
    /// chosen by any name.
    fn of_those(mut self, names: &[String]) -> Self {
        for list in [&mut self.caught, &mut self.unviable, &mut self.missed] {
            list.retain(|name| names.contains(name));
        }
        self
    }
}

/// Runs all mutants, prints the table, and fails if others are left than the page lists.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    let program = kernel::cargo_mutants(shell)?;
    let output = cargo::target_folder(shell)?.join("mutants");
    let mut rows = vec![table::cells(HEADER)];
    let mut left = BTreeSet::new();
    let mut listed = listed(&fs::read_to_string(PAGE).context(PAGE)?)?;
    for area in &AREAS {
        if options.area.as_ref().is_some_and(|only| only != area.name) {
            listed.retain(|name| !name.starts_with(area.folder));
            continue;
        }
        let output = output.join(area.name);
        let [quick, rest] = ["quick", "rest"].map(|tests| output.join(tests));
        if !options.rest {
            mutate(shell, &program, area.folder, area.quick, &[], &quick)?;
        }
        let quick = Outcomes::read(&quick)?;
        let rest = match &quick.missed[..] {
            [] => Outcomes::default(),
            missed => {
                mutate(shell, &program, area.folder, area.rest, missed, &rest)?;
                Outcomes::read(&rest)?.of_those(missed)
            }
        };
        rows.push(row(area.name, &quick, &rest));
        left.extend(rest.missed.iter().map(|name| without_place(name)));
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

/// Runs tests for all mutants of a folder, or only for those named.
fn mutate(
    shell: &Shell,
    program: &Path,
    folder: &str,
    tests: &[&str],
    only: &[String],
    output: &Path,
) -> Result<()> {
    shell.create_dir(output)?;
    let only = only.iter().map(|name| regex_lite::escape(name));
    let command = cmd!(shell, "{program} mutants --workspace --cap-lints=true")
        .arg(format!("--file={folder}**"))
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
fn row(name: &str, quick: &Outcomes, rest: &Outcomes) -> table::Row {
    let counts = [
        quick.caught.len() + quick.unviable.len() + quick.missed.len(),
        quick.unviable.len(),
        quick.caught.len(),
        // A test that does not compile with the mutant has caught it.
        rest.caught.len() + rest.unviable.len(),
        rest.missed.len(),
    ];
    let counts = counts.iter().map(usize::to_string);
    [name.to_owned()].into_iter().chain(counts).collect()
}

/// The line and the column of a mutant, which other edits change.
static PLACE: LazyLock<Regex> = pattern!(":[0-9]+:[0-9]+:");

fn without_place(name: &str) -> String {
    PLACE.replace(name, ":").into_owned()
}

/// Reads the names of the mutants that the page lists.
fn listed(page: &str) -> Result<BTreeSet<String>> {
    let rows = page.lines().filter_map(|line| line.strip_prefix(ROW));
    let name = |row: &str| {
        let parts = row.split_once(REASON);
        let (name, _) = parts.with_context(|| format!("no reason: {row}"))?;
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

    const NAME: &str = "runtime/src/a.rs: replace | with ^ in tag";

    #[test]
    fn outcomes_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("mutants.out")).unwrap();
        for (list, place) in [
            ("missed", ":1:2:"),
            ("caught", ":3:4:"),
            ("timeout", ":5:6:"),
            ("unviable", ":7:8:"),
        ] {
            let file = folder.path().join(format!("mutants.out/{list}.txt"));
            fs::write(file, NAME.replacen(':', place, 1) + "\n").unwrap();
        }
        let read = || Outcomes::read(folder.path()).unwrap();

        let missed = read().missed;
        assert_eq!(without_place(&missed[0]), NAME);
        let expected = ["a", "4", "1", "2", "3", "1"];
        assert_eq!(row("a", &read(), &read()), expected);
        let expected = ["a", "4", "1", "2", "0", "1"];
        assert_eq!(row("a", &read(), &read().of_those(&missed)), expected);
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
