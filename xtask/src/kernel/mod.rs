// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask kernel`: builds and boots a real Linux with this project's code in it, and runs
//! tests there.
//!
//! Everything that is got or made on the way is in a cache (`cache`), and nothing else on the
//! machine is changed.
//!
//! `test` calls these, each once, in this order; all others have parts of its walk:
//!
//! | file | what |
//! |---|---|
//! | `cache`, `machine` | where things are kept, and whether the machine has what it takes |
//! | `plan` | which boots a `flavour` of the kernel needs |
//! | `prepare` | `linux` gets a `tree`, `make` finds the `tools`, `apply` adds the code, `config` |
//! | `build` | the kernel |
//! | `boot` | each line of QEMU goes by way of `console` to `run`, and there to `ktap` and `splat` |
//! | `run`, `control` | the verdict; the latter if tests have to fail |
//!
//! A `series` has the steps of `apply` as patches, and `fixes` tests those that mend Linux itself.
//! `neighbours` applies the code to trees that differ. Commands that take long are a `job`, and show
//! their `progress`; `apt` gets packages.

mod apply;
pub(crate) mod apt;
mod arch;
mod bench;
mod boot;
mod build;
pub(crate) mod cache;
mod checkpatch;
mod compare;
mod config;
mod console;
mod control;
mod device;
mod doctor;
mod fixes;
mod flavour;
mod git;
mod hardware;
mod herd;
mod initramfs;
pub(crate) mod job;
mod ktap;
mod lint;
mod linux;
mod litmus;
mod machine;
mod make;
pub(crate) mod messages;
mod neighbours;
pub(crate) mod pattern;
mod plan;
mod prepare;
mod progress;
mod run;
mod series;
mod shell;
mod splat;
mod test;
pub(crate) mod tools;
pub(crate) mod tree;
mod vocabulary;

use anyhow::Result;
use cache::Cache;
use clap::{Parser, Subcommand};
use flavour::Object;
pub(crate) use progress::{seconds, spinner, Progress};
use std::path::{self, PathBuf};
use xshell::Shell;

/// The cargo-fuzz and the cargo-mutants that this is known to work with.
const CARGO_FUZZ: &str = "0.13.2";
const CARGO_MUTANTS: &str = "27.1.0";

const HELP: &str = "\
Exit status:
  0  all is well; by --shell, the guest was powered off, and its commands were successful
  1  a test or a check has failed, or the build has, or something is missing on this machine;
     by --control, what failed is not just what had to
  2  wrong usage, such as a tree that is too old
  3  skipped: something cannot be downloaded, or herd7 is not here, which says nothing about
     the code

Files:
  Everything is kept in $DEVRES_LAZY_CACHE, $XDG_CACHE_HOME/devres-lazy or
  ~/.cache/devres-lazy, and can be removed from there at any time. linux-<version> there
  shares its files with work-*/linux by hard links: replace files there, or edit a tree of
  your own and name it by --linux, but do not write to them in place.";

#[derive(Parser)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Says what `test` and `lint` need that this machine has not, and what to do about it.
    Doctor,
    /// Adds the code to a Linux tree, 7.3 or newer.
    Apply {
        /// The tree, which is changed.
        #[arg(long, value_name = "DIR")]
        linux: PathBuf,

        /// Adds the annotated objects in their printed form, and not the macro.
        #[arg(long)]
        expanded: bool,
    },
    /// Adds the code to copies of trees that differ from Linux 7.3 where others may change it.
    ///
    /// The trees are that of the cache and the release candidate of Debian's experimental. Each is
    /// tried as it is, with harmless changes around all items, and with each item renamed, missing
    /// or there twice. Fails unless the same edits are made, or the error names the file and the item.
    #[command(after_help = HELP)]
    Neighbours,
    /// Writes the code as a series of patches with a cover letter, as one would mail it.
    ///
    /// Each patch is checked by the tree's checkpatch.pl, and the series by `git am`: what that
    /// makes of the tree has to be what `apply` does. A series that does not hold is not written.
    #[command(after_help = HELP)]
    Series(series::Options),
    /// Builds Linux with each of the fixes of `series --fixes`, and without. Fails unless the tests
    /// of each fix fail without it and pass with it, and all others end as before. Writes
    /// docs/upstream.md.
    #[command(after_help = HELP)]
    Fixes(fixes::Options),
    /// Builds a Linux with the code in it, boots it in QEMU, and runs its KUnit tests.
    ///
    /// Gets what it needs and is not here: the sources of Linux and of Rust's library from Debian,
    /// bindgen by cargo. The first run takes about ten minutes on two CPUs, later ones less than
    /// one. Fails if a test does, and if the kernel complains about anything meanwhile: an oops, a
    /// WARN, lockdep, KASAN.
    #[command(after_help = HELP)]
    Test(test::Options),
    /// Runs scenarios in user space, on two drivers with lazily mapped resources. One device does
    /// DMA behind an IOMMU, the other one shows its memory on a screen.
    ///
    /// The scenarios copy, draw, unbind and bind again, and make calls that come too late. Prints a
    /// row for each scenario. Fails if one is off, and if the kernel complains.
    #[command(after_help = HELP)]
    Device(device::Options),
    /// Runs the checks that a Linux tree has for its own code over what is added to it: rustfmt,
    /// checkpatch, Clippy, rustdoc, and whether rust-analyzer finds all files.
    #[command(after_help = HELP)]
    Lint(lint::Options),
    /// Runs the same scenarios on the host and in a kernel, and fails where they end differently.
    #[command(after_help = HELP)]
    Compare(compare::Options),
    /// Has the kernel's own memory model judge the protocol's orderings, and mutants of them.
    ///
    /// Needs herd7, without which this is skipped.
    #[command(after_help = HELP)]
    Litmus(litmus::Options),
    /// Measures in a kernel what lazily mapped tables cost, by hand and annotated: to unbind, to
    /// free, to map, to access, and in bytes. Writes docs/kernel-benchmark.*, and fails if a target
    /// is missed.
    #[command(after_help = HELP)]
    Bench(bench::Options),
    /// Compares the names and the signatures of the host's library with those of the kernel crate,
    /// and fails if docs/host.md is not up to date.
    ///
    /// Without a tree in the cache, this is skipped.
    Vocabulary(vocabulary::Options),
}

pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    job::end_with_us()?;

    match &options.command {
        Command::Doctor => doctor::run(shell),
        Command::Apply { linux, expanded } => {
            apply::to_folder(&path::absolute(linux)?, Object::lazy(*expanded))
        }
        Command::Neighbours => neighbours::run(),
        Command::Series(options) => series::run(shell, options),
        Command::Fixes(options) => fixes::run(shell, options),
        Command::Test(options) => test::run(shell, options),
        Command::Device(options) => device::run(shell, options),
        Command::Lint(options) => lint::run(shell, options),
        Command::Compare(options) => compare::run(shell, options),
        Command::Litmus(options) => litmus::run(options),
        Command::Bench(options) => bench::run(shell, options),
        Command::Vocabulary(options) => vocabulary::run(options),
    }
}

/// The sources of Rust's library, which are got if they are not here.
pub(crate) fn rust_library(shell: &Shell) -> Result<PathBuf> {
    tools::Rust::find(shell)?.library(&Cache::open()?)
}

/// Returns cargo-fuzz, which is built if it is not here. Its C++ compiler is installed if that is
/// allowed.
pub(crate) fn cargo_fuzz(shell: &Shell, install: bool) -> Result<PathBuf> {
    let cache = Cache::open()?;
    machine::ensure_cxx(&cache, install)?;
    tools::subcommand(shell, &cache, "cargo-fuzz", CARGO_FUZZ)
}

/// Finds cargo-mutants, and builds it if it is not there.
pub(crate) fn cargo_mutants(shell: &Shell) -> Result<PathBuf> {
    tools::subcommand(shell, &Cache::open()?, "cargo-mutants", CARGO_MUTANTS)
}
