// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask kernel lint`: what a Linux tree itself asks of code that is added to it.
//!
//! The checks are those of the tree, on a copy of it with the code in it that is configured as the
//! fast variant. They have a work folder of their own: in that of `test`, Clippy and the compiler
//! would build the Rust code in turns.

mod analyzer;
mod rust;

use super::{
    arch::Arch,
    bench,
    cache::Cache,
    checkpatch,
    flavour::{Flavour, Object, Variant},
    git::{self, Author, Repository},
    job, machine,
    make::Make,
    prepare::{prepare, Request, Source},
    seconds, spinner,
    tree::Tree,
};
use anyhow::{ensure, Result};
use clap::Parser;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Instant,
};
use xshell::Shell;

#[derive(Parser)]
pub(crate) struct Options {
    #[command(flatten)]
    source: Source,

    /// The architecture of the kernel.
    #[arg(long, value_enum, default_value_t)]
    arch: Arch,

    /// Checks the annotated objects in their printed form, in a tree that has no macro.
    #[arg(long)]
    expanded: bool,
}

/// Of what is wrong, these many lines are printed. The log has all.
const MAX_LINES: usize = 60;

/// The tree that all checks look at, and where it is built.
struct Lint<'a> {
    make: &'a Make,
    out: PathBuf,
    tree: &'a Tree,
    /// The files that were changed in it.
    files: BTreeSet<&'a Path>,
}

/// The outcome of a check.
struct Outcome {
    /// A summary of the check, for people.
    what: String,
    /// The faults, a line or more for each; empty if there are none.
    faults: String,
}

impl Lint<'_> {
    /// Runs `make` where things are built. Returns what it has said last if it fails.
    fn make(&self, arguments: &[&str], log: &Path) -> Result<Option<String>> {
        job::failure(self.make.command(&self.out)?.args(arguments), log)
    }

    /// The name in the tree of a file that a tool calls this: absolute, or from the top.
    fn in_tree<'a>(&self, name: &'a (impl AsRef<Path> + ?Sized)) -> &'a Path {
        let name = name.as_ref();
        name.strip_prefix(&self.make.source).unwrap_or(name)
    }

    /// Whether it is a file of ours, or one that is edited.
    fn concerns(&self, name: &str) -> bool {
        self.files.contains(self.in_tree(name))
    }
}

/// A check, which writes a log.
type Check = fn(&Lint<'_>, &Path) -> Result<Outcome>;

/// The checks, in order: Clippy builds what those behind it need.
const CHECKS: [(&str, Check); 5] = [
    ("rustfmtcheck", rust::format),
    ("checkpatch", style),
    ("clippy", rust::clippy),
    ("rustdoc", rust::documentation),
    ("rust-analyzer", analyzer::check),
];

/// Checks it all, and fails if anything is wrong.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    let cache = Cache::open()?;
    machine::ensure_machine(&cache, options.arch, options.source.install)?;
    machine::ensure_linters(shell, &cache, options.source.install)?;
    let object = Object::lazy(options.expanded);
    let work = format!("lint{}", options.arch.suffix());
    let logs = format!("{work}{}", object.suffix());
    let prepared = prepare(
        shell,
        &cache,
        &Request {
            work: &work,
            logs: &logs,
            flavour: Flavour {
                arch: options.arch,
                bench: Some(bench::OURS.file),
                ..Flavour::new(Variant::Fast, object)
            },
            linux: options.source.linux.as_deref(),
        },
    )?;

    let changes = prepared.tree.changes()?;
    let lint = Lint {
        make: &prepared.make,
        out: prepared.work.join("out"),
        tree: &prepared.tree,
        files: changes.iter().map(|change| change.path.as_path()).collect(),
    };
    println!("\n{} files of the tree are new or edited", changes.len());

    let mut failed = 0;
    for (name, check) in CHECKS {
        let log = cache.path(&format!("logs/{logs}-{name}.log"));
        let begin = Instant::now();
        let spinner = spinner(format!("{name} .."));
        let Outcome { what, faults } = check(&lint, &log).unwrap_or_else(|error| Outcome {
            what: "could not be run".to_owned(),
            faults: format!("{error:#}"),
        });
        spinner.finish_and_clear();

        let verdict = if faults.is_empty() { "ok  " } else { "FAIL" };
        println!("{verdict} {name:14}{what}, {}", seconds(begin.elapsed()));
        if !faults.is_empty() {
            failed += 1;
            print!("{}", first(&faults));
            println!("     log: {}", log.display());
        }
    }

    println!(
        "logs: {}",
        cache.path("logs").join(format!("{logs}-*")).display()
    );
    ensure!(
        failed == 0,
        "{failed} of {} checks have failed",
        CHECKS.len()
    );
    Ok(())
}

/// The first lines of what is wrong, indented.
fn first(faults: &str) -> String {
    let lines = faults.lines().take(MAX_LINES);
    let mut text: String = lines
        .map(|line| format!("     {line}").trim_end().to_owned() + "\n")
        .collect();
    let more = faults.lines().count().saturating_sub(MAX_LINES);
    if more > 0 {
        text += &format!("     ({more} more lines)\n");
    }
    text
}

/// `checkpatch.pl --strict`, over what is added to the tree as one patch.
fn style(lint: &Lint<'_>, log: &Path) -> Result<Outcome> {
    git::ensure()?;
    let folder = tempfile::tempdir()?;
    let repository = folder.path().join("made");
    let base = Tree::open(lint.tree.root())?;
    let repository = Repository::new(&repository, &Author::stand_in(), &base, lint.tree)?;
    repository.commit_changes(lint.tree, "All of it")?;
    let patch = log.with_extension("patch");
    repository.diff(&patch)?;

    let report = checkpatch::run(&lint.make.source, &lint.out, &patch, log)?;
    Ok(Outcome {
        what: report.total,
        faults: report.complaints,
    })
}
