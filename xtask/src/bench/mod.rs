// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask bench`: measures `benches/access`, prints a table, and says whether the targets
//! hold.

mod callgrind;
mod results;

use crate::{
    cargo, kernel,
    report::{machine, page, rows::Rows, target},
};
use anyhow::{ensure, Context, Result};
use callgrind::Counts;
use clap::Parser;
use results::Results;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};
use xshell::{cmd, Shell};

/// The page that a full run writes the measured values into.
const PAGE: &str = "docs/benchmark.md";

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
    let valgrind = callgrind::version(shell);
    ensure!(
        valgrind.is_some() || !options.require_instructions,
        callgrind::HOW_TO_GET
    );
    let program = build(shell)?;
    let raw = cargo::target_folder(shell)?.join("bench");
    fs::create_dir_all(&raw)?;

    let counts = match &valgrind {
        Some(_) => callgrind::count(shell, &program, &raw)?,
        None => Counts::new(),
    };
    let rows = measure(shell, &program, &raw.join("measures.csv"), options.quick)?;
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
    match valgrind {
        None => println!(
            "docs/ is left as it is: there are no instructions to put into it\n{}",
            callgrind::HOW_TO_GET
        ),
        Some(_) if options.quick => (),
        Some(valgrind) => {
            let measured = format!(
                "{}\n{tables}\n{}\n{}",
                callgrind::chart(&results.counts),
                target::list(&targets),
                machine::table(shell, &[("counter", valgrind)])?
            );
            let listing = callgrind::listing(shell, &program, &results.counts)?;
            let listing = listing.unwrap_or_else(|| "There was no `objdump`.".to_owned());
            let page = shell.current_dir().join(PAGE);
            page::write(&page, &[("measured", measured), ("listing", listing)])?;
            println!("written: {PAGE}");
        }
    }
    target::judge(&targets, options.quick)
}

/// Builds the benchmark, and returns the program.
fn build(shell: &Shell) -> Result<PathBuf> {
    let messages = cmd!(
        shell,
        "cargo bench --package devres-lazy-workspace --bench access --no-run
            --message-format json-render-diagnostics"
    )
    .read()?;

    // The benchmark is the only target that is asked for.
    let message = |line| serde_json::from_str::<Value>(line).ok();
    let mut messages = messages.lines().filter_map(message);
    let program = messages.find_map(|it| it["executable"].as_str().map(PathBuf::from));
    program.context("cargo did not say which program it has built")
}

/// Measures all but instructions: times, threads, first accesses, bytes. Keeps the rows in `csv`.
fn measure(shell: &Shell, program: &Path, csv: &Path, quick: bool) -> Result<Rows> {
    let spinner = kernel::spinner("measuring times".to_owned());
    let quick = quick.then_some("--quick");
    let text = cmd!(shell, "{program} measure {quick...}").quiet().read()?;
    spinner.finish_and_clear();
    fs::write(csv, format!("{text}\n"))?;

    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    ensure!(
        header == "measure,object,round,value",
        "not the header: {header}"
    );
    let mut rows = Rows::default();
    lines.try_for_each(|line| rows.add(line, 2))?;
    Ok(rows)
}
