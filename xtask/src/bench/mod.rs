// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask bench`: measures `benches/access`, prints a table, and says whether the targets
//! hold.

mod callgrind;
pub(crate) mod machine;
mod page;
mod plot;
mod results;
mod rows;
mod table;

use anyhow::{
    ensure,
    Context,
    Result, //
};
use clap::Parser;
use indicatif::{
    ProgressBar,
    ProgressStyle, //
};
use machine::Machine;
use results::{
    Results,
    Verdict, //
};
use std::{
    fs,
    path::{
        Path,
        PathBuf, //
    },
    thread,
};
use xshell::{
    cmd,
    Shell, //
};

/// Something with a fast path.
struct Subject {
    /// As `benches/access` calls it.
    name: &'static str,
    /// As the tables do.
    title: &'static str,
}

/// What times are compared with.
const BY_HAND: &str = "by_hand";

/// All subjects. The first one is ours.
const SUBJECTS: [Subject; 4] = [
    Subject {
        name: "generated",
        title: "`#[devres_lazy]`",
    },
    Subject {
        name: BY_HAND,
        title: "by hand",
    },
    Subject {
        name: "once_lock",
        title: "`OnceLock`",
    },
    Subject {
        name: "once_cell",
        title: "`OnceCell`",
    },
];

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

/// Measures, prints a table, writes down the results, and fails if a target is missed.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    let program = build(shell)?;
    let raw = raw_folder(&program)?;

    let counts = match callgrind::version(shell) {
        Some(_) => Some(callgrind::count(shell, &program, &raw)?),
        None => None,
    };
    let rows = rows::measure(shell, &program, &raw.join("measures.csv"), options.quick)?;
    let results = Results::new(counts, &rows)?;

    print!("\n{}", table::text(&results));
    print!("\n{}", table::populating(&results));
    println!("\nraw results: {}/*.csv", raw.display());
    if !options.quick {
        match &results.counts {
            Some(counts) => {
                let machine = Machine::new(shell)?;
                let listing = callgrind::listing(shell, &program, counts)?;
                plot::draw(&shell.current_dir().join("docs/benchmark.svg"), counts)?;
                shell.write_file(
                    "docs/benchmark.md",
                    page::text(&results, &machine, &listing),
                )?;
                println!("written: docs/benchmark.md, docs/benchmark.svg");
            }
            None => println!("docs/ is left as it is: there are no instructions to put into it"),
        }
    }

    judge(&results, options)
}

/// Prints how the targets stand, and fails if one is missed that this run can tell about.
fn judge(results: &Results, options: &Options) -> Result<()> {
    let cpus = thread::available_parallelism()?.get();
    let mut missed = 0;

    println!();
    for target in results.targets() {
        let (mark, fails) = match target.verdict {
            Verdict::Held => ("held", false),
            Verdict::NotMeasured => ("not measured", options.require_instructions),
            Verdict::Missed if target.of_time && cpus < 2 => {
                ("warning: missed, with one CPU", false)
            }
            Verdict::Missed if target.of_time && options.quick => ("missed, in a quick run", false),
            Verdict::Missed => ("MISSED", true),
        };
        println!("{mark}: {} ({})", target.text, target.found);
        missed += u32::from(fails);
    }
    if results.counts.is_none() {
        println!("{}", callgrind::HOW_TO_GET);
    }

    ensure!(missed == 0, "{missed} of the targets missed");
    Ok(())
}

/// Builds the benchmark, and returns the program.
fn build(shell: &Shell) -> Result<PathBuf> {
    let messages = cmd!(
        shell,
        "cargo bench --package devres-lazy-workspace --bench access --no-run
            --message-format json-render-diagnostics"
    )
    .read()?;

    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "access")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo did not say which program it has built")
}

/// Where raw results go: `target/bench`.
fn raw_folder(program: &Path) -> Result<PathBuf> {
    // The program is `target/release/deps/access-*`.
    let target = program
        .ancestors()
        .nth(3)
        .context("the program is not in a target folder")?;
    let raw = target.join("bench");
    fs::create_dir_all(&raw)?;

    Ok(raw)
}

/// A bar for `len` steps of something.
fn progress(what: &'static str, len: u64) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{prefix:12} {bar:40} {pos:>4}/{len} {msg}")?;

    println!("measuring {what}");
    Ok(ProgressBar::new(len).with_style(style).with_prefix(what))
}
