// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask kernel bench`: measures in a real kernel what lazily mapped tables cost, prints
//! tables, and says whether the targets hold.
//!
//! Each candidate is built, and booted twice: once to be timed (`rows`), and once in a machine that
//! writes down what it executes (`trace`), where instructions and calls are counted.

mod candidate;
mod code;
mod measure;
mod plots;
mod results;
mod rows;
mod table;
mod targets;
mod trace;

use super::{
    arch::Arch,
    cache::Cache,
    hardware::{Accelerator, Hardware},
    machine::ensure_machine,
};
use crate::{
    cargo,
    report::{
        machine, page,
        target::{self, Judge, Target},
    },
};
use anyhow::{Context, Result};
use candidate::CANDIDATES;
pub(crate) use candidate::OURS;
use clap::{Parser, ValueEnum};
use measure::{measure, How};
use results::{Outcome, Results};
use std::{fs, path::PathBuf};
use xshell::Shell;

/// How to measure.
#[derive(Parser)]
pub(crate) struct Options {
    /// Measures in a copy of this tree, 7.3 or newer, in place of Debian's. It is not changed, and
    /// what Git ignores in it is not copied.
    #[arg(long, value_name = "DIR")]
    linux: Option<PathBuf>,

    /// How QEMU executes instructions while time is measured. They are counted in software.
    #[arg(long, value_enum, default_value_t)]
    accel: Accelerator,

    /// Measures for seconds, with few objects: instructions, grace periods and bytes are as exact,
    /// times are not. Does not rewrite docs/, leaves out the targets that need many objects, and
    /// does not fail for times that lie close to each other.
    #[arg(long)]
    quick: bool,

    /// Installs what is missing on this machine with apt-get, as root.
    #[arg(long)]
    install: bool,
}

/// The command that the files in docs/ name as their writer, and the stem of their names.
const COMMAND: &str = "cargo xtask kernel bench";
const STEM: &str = "kernel-benchmark";

/// Measures, prints tables, writes down the results, and fails if a target is missed.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    let cache = Cache::open()?;
    ensure_machine(&cache, Arch::X86, options.install)?;
    let how = How {
        linux: options.linux.as_deref(),
        hardware: Hardware {
            accel: options.accel,
            ..Hardware::default()
        },
        is_quick: options.quick,
    };
    let measured = CANDIDATES.iter().map(|candidate| {
        let measured = measure(shell, &cache, &how, candidate)?;
        Ok(Outcome {
            candidate,
            measured,
        })
    });
    let results = Results(measured.collect::<Result<_>>()?);
    let targets = targets::targets(&results, options.quick)?;
    let tables = table::tables(&results)?;

    println!("\n{tables}");
    let raw = cargo::target_folder(shell)?.join("bench");
    fs::create_dir_all(&raw)?;
    let raw = raw.join("kernel.csv");
    fs::write(&raw, results.csv())?;
    println!("raw results: {}", raw.display());
    if !options.quick {
        write(shell, options, &results, &tables, &targets)?;
    }

    let judge = Judge {
        is_quick: options.quick,
        needs_all: true,
    };
    judge.run(&targets)
}

/// Writes it all to docs/: the plots first to a folder beside, so that none is half-written.
fn write(
    shell: &Shell,
    options: &Options,
    results: &Results,
    tables: &str,
    targets: &[Target],
) -> Result<()> {
    let docs = shell.current_dir().join("docs");
    let folder = tempfile::tempdir_in(&docs)?;
    let accelerator = options.accel.to_possible_value();
    let accelerator = accelerator.context("this accelerator has no name")?;
    let qemu = Arch::X86.emulator_version()?;
    let measured = &results.ours()?.measured;

    let plots = plots::draw(results, COMMAND, folder.path(), STEM)?;
    let pictures = plots
        .iter()
        .map(|(title, name)| format!("![{title}]({name})\n\n"));
    let machine = machine::table(
        shell,
        &[
            (
                "guest",
                format!(
                    "Linux {}, 2 CPUs, 250 Hz, `rcupdate.rcu_normal=1`",
                    measured.linux
                ),
            ),
            ("compiler of the guest", format!("clang {}", measured.clang)),
            (
                "QEMU",
                format!("{qemu}, `-accel {}`", accelerator.get_name()),
            ),
        ],
    )?;
    let text = format!(
        "{}{}\n{tables}\n{machine}",
        pictures.collect::<String>(),
        target::list(targets)
    );
    let listings = results.0.iter().map(listing).collect::<Vec<_>>().join("\n");

    for (_, name) in &plots {
        fs::rename(folder.path().join(name), docs.join(name))?;
    }
    let page = docs.join(STEM).with_extension("md");
    page::write(&page, &[("measured", text), ("listing", listings)])?;
    println!("written: docs/{STEM}.md, with {} plots", plots.len());
    Ok(())
}

/// The instructions of an access, as Markdown.
fn listing(it: &Outcome) -> String {
    let access = &it.measured.out_of_line;
    format!(
        "{}, {} instructions:\n\n```text\n{}\n```\n",
        it.candidate.title,
        access.instructions,
        access.listing.join("\n")
    )
}
