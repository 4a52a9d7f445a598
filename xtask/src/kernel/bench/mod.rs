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
    arch::Arch, cache::Cache, flavour::Variant, hardware::Hardware, machine::ensure_machine,
    prepare::Source,
};
use crate::{
    cargo,
    report::{
        machine, page,
        target::{self, Target},
    },
};
use anyhow::{Context, Result};
use candidate::CANDIDATES;
pub(crate) use candidate::OURS;
use clap::{Parser, ValueEnum};
use measure::measure;
use results::{Outcome, Results};
use std::fs;
use xshell::Shell;

#[derive(Parser)]
pub(crate) struct Options {
    #[command(flatten)]
    source: Source,

    /// Time is measured on this machine. Instructions are counted in software, on one CPU.
    #[command(flatten)]
    hardware: Hardware,

    /// Measures for seconds, with few objects: instructions, grace periods and bytes are as exact,
    /// times are not. Does not rewrite docs/, leaves out the targets that need many objects, and
    /// does not fail for times that lie close to each other.
    #[arg(long)]
    quick: bool,
}

/// The command that the files in docs/ name as their writer, and the stem of their names.
const COMMAND: &str = "cargo xtask kernel bench";
const STEM: &str = "kernel-benchmark";

/// Measures, prints tables, writes down the results, and fails if a target is missed.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    let cache = Cache::open()?;
    options.hardware.ensure_possible(Variant::Fast)?;
    ensure_machine(&cache, options.hardware.arch, options.source.install)?;
    let [by_hand, ours] = &CANDIDATES;
    let results = Results([
        measure(shell, &cache, options, by_hand)?,
        measure(shell, &cache, options, ours)?,
    ]);
    let tables = table::tables(&results)?;

    println!("\n{tables}");
    let raw = cargo::target_folder(shell)?.join("bench");
    fs::create_dir_all(&raw)?;
    let raw = raw.join("kernel.csv");
    fs::write(&raw, results.csv())?;
    println!("raw results: {}", raw.display());
    if options.hardware.arch != Arch::X86 {
        println!("no target is judged: the targets, and docs/, are for x86_64");
        return Ok(());
    }
    let targets = targets::targets(&results, options.quick)?;
    if !options.quick {
        write(shell, options, &results, &tables, &targets)?;
    }
    target::judge(&targets, options.quick)
}

/// Writes it all to docs/.
fn write(
    shell: &Shell,
    options: &Options,
    results: &Results,
    tables: &str,
    targets: &[Target],
) -> Result<()> {
    let docs = shell.current_dir().join("docs");
    let accelerator = options.hardware.accel.to_possible_value();
    let accelerator = accelerator.context("this accelerator has no name")?;
    let accelerator = accelerator.get_name();
    let qemu = Arch::X86.emulator_version()?;
    let version = qemu.trim_start_matches("QEMU ");
    let [_, Outcome { linux, clang, .. }] = &results.0;
    let guest = format!("Linux {linux}, 2 CPUs, 250 Hz, `rcupdate.rcu_normal=1`");
    let machine = machine::table(
        shell,
        &[
            ("guest", guest),
            ("compiler of the guest", format!("clang {clang}")),
            ("QEMU", format!("{version}, `-accel {accelerator}`")),
        ],
    )?;

    // All are drawn before the first is written.
    let mut drawn = Vec::new();
    let mut text = String::new();
    for plot in plots::plots(results) {
        let name = format!("{STEM}-{}.svg", plot.name);
        text += &format!("![{}]({name})\n\n", plot.title);
        drawn.push((docs.join(name), plot.svg(COMMAND)?));
    }
    text += &format!("{}\n{tables}\n{machine}", target::list(targets));
    let listings = results.0.iter().map(listing).collect::<Result<Vec<_>>>()?;

    for (file, svg) in &drawn {
        fs::write(file, svg).with_context(|| file.display().to_string())?;
    }
    let page = docs.join(STEM).with_extension("md");
    page::write(
        &page,
        &[("measured", text), ("listing", listings.join("\n"))],
    )?;
    println!("written: docs/{STEM}.md, with {} plots", drawn.len());
    Ok(())
}

/// The instructions of an access, as Markdown.
fn listing(it: &Outcome) -> Result<String> {
    Ok(format!(
        "{}, {} instructions:\n\n```text\n{}\n```\n",
        it.candidate.title,
        it.instructions("out_of_line")?,
        it.listing.join("\n")
    ))
}
