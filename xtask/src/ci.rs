// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask ci`: everything that has to hold, by the tables of `docs/ci.md`.

use crate::exit;
use anyhow::{bail, Context, Result};
use clap::Parser;
use std::{process::Command, time::Instant};
use xshell::{cmd, Shell};

/// The page with the tables, and the text between them.
const PAGE: &str = include_str!("../../docs/ci.md");
const ALWAYS: &str = "\n## Always\n";

#[derive(Parser)]
pub(crate) struct Options {
    /// Runs also the steps that take long.
    #[arg(long)]
    all: bool,

    /// Prints the steps and what each proves, and runs none.
    #[arg(long)]
    list: bool,
}

/// One thing that has to hold.
pub(crate) struct Step {
    name: &'static str,
    /// The fact that is known when the step holds.
    proves: &'static str,
    pub(crate) command: &'static str,
}

/// Reads the steps: those that take long, and the others, whose last one is the last of all.
pub(crate) fn steps() -> Result<[Vec<Step>; 2]> {
    let (long, always) = PAGE
        .split_once(ALWAYS)
        .context("docs/ci.md lacks the heading `## Always`")?;
    let read = |part: &'static str| -> Result<Vec<Step>> {
        let rows = part.lines().filter(|line| line.starts_with('|'));
        // Behind the header and the line below it.
        rows.skip(2).map(Step::read).collect()
    };

    Ok([read(long)?, read(always)?])
}

/// Runs all steps, and stops at the first that fails.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    let [long, always] = steps()?;
    if options.list {
        for (when, steps) in [("With --all, first", long), ("Always", always)] {
            println!("{when}:\n");
            for step in steps {
                println!(
                    "{}\n    {}\n    $ {}\n",
                    step.name, step.proves, step.command
                );
            }
        }
        return Ok(());
    }

    let long = long.iter().filter(|_| options.all);
    let steps: Vec<&Step> = long.chain(&always).collect();
    let mut skipped = Vec::new();
    for (number, step) in (1..).zip(&steps) {
        println!("\n== {number}/{}: {}", steps.len(), step.name);
        let begin = Instant::now();
        if step.held(shell)? {
            let seconds = begin.elapsed().as_secs_f64();
            println!("== {} held, {seconds:.0} s: {}", step.name, step.proves);
        } else {
            println!(
                "== {} skipped: what it needs cannot be downloaded, see above",
                step.name
            );
            skipped.push(step.name);
        }
    }

    if !skipped.is_empty() {
        println!("\n== not seen to hold: {}", skipped.join("; "));
    }
    Ok(())
}

impl Step {
    /// Reads a row of a table.
    fn read(row: &'static str) -> Result<Self> {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, proves, command] = cells[..] else {
            bail!("docs/ci.md: a step is `| name | what it proves | `command` |`, not: {row}");
        };

        Ok(Self {
            name,
            proves,
            command: command.trim_matches('`'),
        })
    }

    /// Runs the command. Returns whether it has held: otherwise it was skipped.
    ///
    /// # Errors
    ///
    /// If it has failed.
    fn held(&self, shell: &Shell) -> Result<bool> {
        let mut words = self.command.split_whitespace();
        let program = words
            .next()
            .context("a step of docs/ci.md has no command")?;
        let is_ours = self.command.starts_with("cargo xtask ");

        let command = cmd!(shell, "{program} {words...}");
        println!("$ {command}");
        let status = Command::from(command).status()?;
        match status.code() {
            Some(0) => Ok(true),
            Some(exit::SKIPPED) if is_ours => Ok(false),
            _ => bail!("{}: {status}", self.name),
        }
    }
}
