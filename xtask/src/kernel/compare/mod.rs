// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask kernel compare`: the same suites on the host and in the kernel.
//!
//! The suites are the same files. The host runtime is a model of the kernel: where a test ends
//! differently in the two, the model is wrong, so that is a failure.

mod host;
mod table;

use super::{
    cache::Cache,
    flavour::Variant,
    hardware::Hardware,
    ktap::{Outcome, Test},
    run::Results,
    test,
};
use anyhow::{ensure, Result};
use clap::Parser;
use std::path::PathBuf;
use table::{add, is_ours, Column, Mark, Table};
use xshell::Shell;

/// The options of `compare`.
#[derive(Parser)]
pub(crate) struct Options {
    /// Tests in a copy of this tree, 7.3 or newer, in place of Debian's. It is not changed, and
    /// what Git ignores in it is not copied.
    #[arg(long, value_name = "DIR")]
    linux: Option<PathBuf>,

    /// How the kernel is configured.
    #[arg(long, value_enum, default_value_t = Variant::Fast)]
    variant: Variant,

    #[command(flatten)]
    hardware: Hardware,

    /// Compares the suite of the contract over the objects by hand, which fail in the same tests.
    #[arg(long)]
    control: bool,

    /// Installs what is missing on this machine with apt-get, as root.
    #[arg(long)]
    install: bool,
}

/// Suites that one side may be without, and why.
const OF_ONE_SIDE: [(&str, &str); 5] = [
    (
        "rust_devres_lazy_gem_dma",
        "the host has no model of the C helper",
    ),
    (
        "rust_devres_lazy_prime",
        "what DRM asks of a driver for user space, which the host has not",
    ),
    (
        "rust_lazy_kasan",
        "a boot of its own with KASAN, which reports once",
    ),
    (
        "rust_lazy_lockdep",
        "a boot of its own with lockdep, which reports once",
    ),
    (
        "rust_lazy_oops",
        "a boot of its own for the object by hand, which ends in an oops",
    ),
];

/// Runs both, prints the table, and fails if they differ.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    let logs = Cache::open()?.path("logs");
    let host = if options.control {
        host::by_hand(shell, &logs)?
    } else {
        host::suites(shell, &logs)?
    };

    let results = test::execute(
        shell,
        &test::Options {
            linux: options.linux.clone(),
            variant: options.variant,
            hardware: options.hardware,
            control: options.control,
            install: options.install,
            ..test::Options::default()
        },
    )?;
    let table = Table {
        host,
        kernel: kernel(&results)?,
        excuse: of_one_side,
    };

    print!("\n{table}");
    let differences = table.differences();
    for difference in &differences {
        println!("DIFFERENT {difference}");
    }
    ensure!(
        differences.is_empty(),
        "{} outcomes differ: the host runtime is not as the kernel is",
        differences.len()
    );
    ensure!(
        options.control || results.iter().all(Results::held),
        "host and kernel agree, and the run in the kernel has failed"
    );
    println!("host and kernel agree");
    Ok(())
}

/// The outcomes in the kernel, of all our suites.
fn kernel(results: &[Results]) -> Result<Column> {
    let mut column = Column::default();
    for suite in results.iter().flat_map(|run| &run.suites) {
        if is_ours(&suite.name) {
            for test in &suite.parts {
                add(
                    &mut column,
                    &format!("{}.{}", suite.name, test.name),
                    mark(test),
                )?;
            }
        }
    }

    Ok(column)
}

fn mark(test: &Test) -> Mark {
    match &test.outcome {
        _ if test.fails() => Mark::Fail,
        Outcome::Skipped(why) => Mark::Skip(why.clone()),
        _ => Mark::Ok,
    }
}

/// Why one side may be without the suite of a test.
fn of_one_side(test: &str) -> Option<&'static str> {
    let (suite, _) = test.split_once('.')?;
    let found = OF_ONE_SIDE.iter().find(|(name, _)| *name == suite);
    found.map(|(_, why)| *why)
}
