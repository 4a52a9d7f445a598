// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask kernel lint`: what a Linux tree itself asks of code that is added to it.
//!
//! The checks are those of the tree, on a copy of it with the code in it that is configured as the
//! fast variant. They have a work folder of their own: in that of `test`, Clippy and the compiler
//! would build the Rust code in turns.

mod analyzer;
mod check;
mod patch;
mod rust;

use super::{
    arch::Arch,
    bench,
    cache::Cache,
    flavour::{Flavour, Object, Variant},
    machine,
    prepare::{prepare, Request},
    seconds, spinner,
};
use anyhow::{ensure, Result};
use check::{Lint, Outcome};
use clap::Parser;
use std::{
    path::{Path, PathBuf},
    time::Instant,
};
use xshell::Shell;

/// The options of `lint`.
#[derive(Parser)]
pub(crate) struct Options {
    /// Checks in a copy of this tree, 7.3 or newer, in place of Debian's. It is not changed, and
    /// what Git ignores in it is not copied.
    #[arg(long, value_name = "DIR")]
    linux: Option<PathBuf>,

    /// The architecture of the kernel.
    #[arg(long, value_enum, default_value_t)]
    arch: Arch,

    /// Checks the annotated objects in their printed form, in a tree that has no macro.
    #[arg(long)]
    expanded: bool,

    /// Installs what is missing on this machine with apt-get, as root.
    #[arg(long)]
    install: bool,
}

/// A check, which writes a log.
type Check = fn(&Lint<'_>, &Path) -> Result<Outcome>;

/// The checks, in order: Clippy builds what those behind it need.
const CHECKS: [(&str, Check); 5] = [
    ("rustfmtcheck", rust::format),
    ("checkpatch", patch::check),
    ("clippy", rust::clippy),
    ("rustdoc", rust::documentation),
    ("rust-analyzer", analyzer::check),
];

/// Checks it all, and fails if anything is wrong.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    let cache = Cache::open()?;
    machine::ensure_machine(&cache, options.arch, options.install)?;
    machine::ensure_linters(shell, &cache, options.install)?;
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
            linux: options.linux.as_deref(),
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
            print!("{}", check::first(&faults));
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
