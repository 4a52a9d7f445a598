// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The project's own commands: `cargo xtask`.

mod bench;
mod bless;
mod cargo;
mod check;
mod checker;
mod ci;
mod compilers;
mod exit;
mod fuzz;
mod kernel;
mod mutants;
mod prose;
mod report;
mod stress;
mod tsan;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};
use xshell::Shell;

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = exit::HELP)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs everything that has to hold: format, lints, documentation, tests, packaging.
    Ci(ci::Options),
    /// Checks one thing that `ci` does and that takes more than a command.
    #[command(subcommand)]
    Check(check::Check),
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
    ///
    /// Inputs that are found are kept in target/fuzz, and used the next time. Only --save changes the
    /// saved corpus in verify/fuzz/corpus.
    Fuzz(fuzz::Options),
    /// Binds and unbinds devices very often, while threads use what is on them.
    Stress(stress::Options),
    /// Runs the protocol under ThreadSanitizer, and mutants of it, which have to be reported.
    Tsan(tsan::Options),
    /// Builds and tests with the oldest compiler that the crates support, and with the newest that
    /// Debian has.
    Compilers(compilers::Options),
    /// Breaks the protocol and the macro in one place at a time, and fails if no test finds it.
    Mutants(mutants::Options),
    /// Finds sentences that have to be read twice, in the README and in docs/.
    Prose(prose::Options),
    /// Builds and boots a Linux with the code in it, and runs its tests.
    Kernel(kernel::Options),
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error),
    }
}

fn run() -> Result<()> {
    let args = Args::parse();
    let shell = Shell::new()?;
    shell.change_dir(root());

    match args.command {
        Command::Ci(options) => ci::run(&shell, &options),
        Command::Check(check) => check::run(&shell, &check),
        Command::Bless => bless::run(&shell),
        Command::Bench(options) => bench::run(&shell, &options),
        Command::Asan => checker::asan(&shell),
        Command::Miri => checker::miri(&shell),
        Command::Fuzz(options) => fuzz::run(&shell, &options),
        Command::Stress(options) => stress::run(&shell, &options),
        Command::Tsan(options) => tsan::run(&shell, &options),
        Command::Compilers(options) => compilers::run(&shell, &options),
        Command::Mutants(options) => mutants::run(&shell, &options),
        Command::Prose(options) => prose::run(&shell, &options),
        Command::Kernel(options) => kernel::run(&shell, &options),
    }
}

/// The folder of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_of_ci_can_be_run() {
        let [long, always] = ci::steps().unwrap();
        assert!(!long.is_empty() && !always.is_empty());

        for step in long.iter().chain(&always) {
            let words = step.command.strip_prefix("cargo ").expect(step.command);
            if words.starts_with("xtask ") {
                let args = Args::try_parse_from(words.split_whitespace());
                assert!(args.is_ok(), "{}", step.command);
            }
        }
        let last = always.last().map(|step| step.command);
        assert_eq!(
            last,
            Some("cargo test --workspace"),
            "the output ends with it"
        );
    }
}
