// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask bench`: measures `benches/access`, prints a table, and says whether the targets
//! hold.

mod callgrind;
mod object;
mod results;
mod rows;

use crate::{
    cargo,
    report::{
        machine, page,
        target::{self, Judge},
    },
};
use anyhow::{Context, Result};
use clap::Parser;
use results::Results;
use std::{fs, path::PathBuf};
use xshell::{cmd, Shell};

/// The page that a full run writes the measured values into.
const PAGE: &str = "docs/benchmark.md";

/// How to measure.
#[derive(Parser)]
pub(crate) struct Options {
    /// Measures for some seconds only: instructions are as exact, times are not. Does not rewrite
    /// docs/, and does not fail on times.
    #[arg(long)]
    quick: bool,

    /// Fails without Valgrind, which counts instructions.
    #[arg(long)]
    require_instructions: bool,
}

/// Measures, prints tables, writes down the results, and fails if a target is missed.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    let program = build(shell)?;
    let raw = cargo::target_folder(shell)?.join("bench");
    fs::create_dir_all(&raw)?;
    let valgrind = callgrind::version(shell);

    let counts = match &valgrind {
        Some(_) => Some(callgrind::count(shell, &program, &raw)?),
        None => None,
    };
    let rows = rows::measure(shell, &program, &raw.join("measures.csv"), options.quick)?;
    let results = Results { counts, rows };
    let targets = results.targets()?;

    let tables = format!(
        "{}\n{}\n{}\n",
        results.access()?,
        results.populating()?,
        results.helper()?
    );
    print!("\n{tables}");
    println!("\nraw results: {}/*.csv", raw.display());
    match (&results.counts, valgrind) {
        _ if options.quick => (),
        (Some(counts), Some(valgrind)) => {
            let measured = format!(
                "{}\n{tables}\n{}\n{}",
                callgrind::chart(counts),
                target::list(&targets),
                machine::table(shell, &[("counter", valgrind)])?
            );
            let listing = callgrind::listing(shell, &program, counts)?;
            let listing = listing.unwrap_or_else(|| "There was no `objdump`.".to_owned());
            let page = shell.current_dir().join(PAGE);
            page::write(&page, &[("measured", measured), ("listing", listing)])?;
            println!("written: {PAGE}");
        }
        _ => println!("docs/ is left as it is: there are no instructions to put into it"),
    }
    if results.counts.is_none() {
        println!("{}", callgrind::HOW_TO_GET);
    }

    let judge = Judge {
        is_quick: options.quick,
        needs_all: options.require_instructions,
    };
    judge.run(&targets)
}

/// Builds the benchmark, and returns the program.
fn build(shell: &Shell) -> Result<PathBuf> {
    let messages = cmd!(
        shell,
        "cargo bench --package devres-lazy-workspace --bench access --no-run
            --message-format json-render-diagnostics"
    )
    .read()?;

    let mut programs = messages.lines().filter_map(cargo::program);
    let access = programs.find(|(name, _)| name == "access");
    let (_, program) = access.context("cargo did not say which program it has built")?;
    Ok(program)
}
