// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The project's own commands: `cargo xtask`.

mod bench;
mod bless;
mod cargo;
mod checker;
mod ci;
mod exit;
mod fuzz;
mod kernel;
mod report;
mod stress;
mod tsan;

use anyhow::Result;
use clap::{
    Parser,
    Subcommand, //
};
use std::{
    path::{
        Path,
        PathBuf, //
    },
    process::ExitCode,
};
use xshell::Shell;

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs everything that has to hold: format, lints, documentation, tests, packaging.
    Ci(ci::Options),
    /// Rewrites the expansions, compiler messages, and pages that tests compare with. Read
    /// the diff.
    Bless,
    /// Measures what an access costs, for several ways to write it, and fails if a target is
    /// missed.
    Bench(bench::Options),
    /// Runs the tests that panic in the middle of the protocol under AddressSanitizer.
    Asan,
    /// Runs the tests of references to an owner under Miri, and one that has to be reported.
    Miri,
    /// Runs fuzz targets: the expander, the printer, and histories of objects against a model.
    Fuzz(fuzz::Options),
    /// Binds and unbinds devices very often, while threads use what is on them.
    Stress(stress::Options),
    /// Runs the protocol under ThreadSanitizer, and mutants of it, which have to be reported.
    Tsan(tsan::Options),
    /// Builds and boots a Linux with the code in it, and runs its tests.
    Kernel(kernel::Options),
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error),
    }
}

/// Runs the command.
fn run() -> Result<()> {
    let args = Args::parse();
    let shell = Shell::new()?;
    shell.change_dir(root());

    match args.command {
        Command::Ci(options) => ci::run(&shell, &options),
        Command::Bless => bless::run(&shell),
        Command::Bench(options) => bench::run(&shell, &options),
        Command::Asan => checker::asan(&shell),
        Command::Miri => checker::miri(&shell),
        Command::Fuzz(options) => fuzz::run(&shell, &options),
        Command::Stress(options) => stress::run(&shell, &options),
        Command::Tsan(options) => tsan::run(&shell, &options),
        Command::Kernel(options) => kernel::run(&shell, &options),
    }
}

/// The folder of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
