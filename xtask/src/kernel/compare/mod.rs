// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask kernel compare`: the outcomes of the same scenarios on the host and in the kernel.
//!
//! The host runtime is a model of the kernel. Where a scenario ends differently in the two, the
//! model is wrong, so that is a failure.

mod host;
mod table;

use super::{
    boot::Accelerator,
    cache::Cache,
    ktap::{
        Outcome,
        Test, //
    },
    prepare::Variant,
    run::Results,
    test,
};
use anyhow::{
    bail,
    ensure,
    Result, //
};
use clap::Parser;
use std::path::PathBuf;
use table::{
    Column,
    Mark,
    Side,
    Subject,
    Table, //
};
use xshell::Shell;

/// What to compare.
#[derive(Parser)]
pub(crate) struct Options {
    /// Tests in a copy of this tree, 7.3 or newer, in place of Debian's. It is not changed, and
    /// what Git ignores in it is not copied.
    #[arg(long, value_name = "DIR")]
    linux: Option<PathBuf>,

    /// How the kernel is configured.
    #[arg(long, value_enum, default_value_t = Variant::Fast)]
    variant: Variant,

    /// How QEMU executes instructions.
    #[arg(long, value_enum, default_value_t = Accelerator::Tcg)]
    accel: Accelerator,

    /// Compares the objects by hand, which fail in the same scenarios.
    #[arg(long)]
    control: bool,

    /// Installs what is missing on this machine with apt-get, as root.
    #[arg(long)]
    install: bool,
}

/// The suites of the kernel, and whose tests they are.
const SUITES: [(&str, Subject); 10] = [
    ("rust_devres_lazy_slot", Subject::Slot),
    ("rust_devres_lazy_device", Subject::Slot),
    ("rust_devres_lazy_callbacks", Subject::Slot),
    ("rust_devres_lazy_batched", Subject::Slot),
    ("rust_devres_lazy_order", Subject::Slot),
    ("rust_devres_lazy_phases", Subject::Slot),
    ("rust_lazy_lockdep", Subject::Slot),
    ("rust_devres_lazy_contract", Subject::Shmem),
    ("rust_devres_lazy_shmem", Subject::Shmem),
    ("rust_devres_lazy_vmap", Subject::Vmap),
];

/// Suites that the host has nothing like: there, nothing is compiled into two crates of one kernel.
const OF_THE_KERNEL: [&str; 1] = ["rust_devres_lazy_crates"];

/// What the names of our suites begin with.
const OURS: &str = "rust_devres_lazy_";

/// Runs both, prints the table, and fails if they differ.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    let logs = Cache::open()?.path("logs");
    let mut table = Table::default();
    if !options.control {
        table.add(
            Subject::Slot,
            Side::Host,
            host::tests(shell, &logs, "protocol")?,
        );
        table.add(
            Subject::Vmap,
            Side::Host,
            host::tests(shell, &logs, "shmem_fields")?,
        );
    }
    table.add(
        Subject::Shmem,
        Side::Host,
        host::shmem(shell, &logs, options.control)?,
    );

    let results = test::execute(
        shell,
        &test::Options {
            linux: options.linux.clone(),
            variant: options.variant,
            filter: None,
            accel: options.accel,
            expanded: false,
            control: options.control,
            shell: false,
            install: options.install,
        },
    )?;
    for (subject, column) in kernel(&results)? {
        table.add(subject, Side::Kernel, column);
    }

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

/// The outcomes in the kernel.
fn kernel(results: &[Results]) -> Result<[(Subject, Column); 3]> {
    let mut columns = Subject::ALL.map(|subject| (subject, Column::default()));
    for suite in results.iter().flat_map(Results::suites) {
        let Some((_, subject)) = SUITES.iter().find(|(name, _)| *name == suite.name) else {
            ensure!(
                !suite.name.starts_with(OURS) || OF_THE_KERNEL.contains(&suite.name.as_str()),
                "it is not said what the suite `{}` is compared with",
                suite.name
            );
            continue;
        };
        for (of, column) in &mut columns {
            if of == subject {
                for test in &suite.parts {
                    add(column, &test.name, mark(test))?;
                }
            }
        }
    }

    Ok(columns)
}

fn mark(test: &Test) -> Mark {
    match &test.outcome {
        _ if test.fails() => Mark::Fail,
        Outcome::Skipped(why) => Mark::Skip(why.clone()),
        _ => Mark::Ok,
    }
}

/// Adds an outcome. A name says which scenario it is, so there cannot be two.
fn add(column: &mut Column, name: &str, mark: Mark) -> Result<()> {
    if column.insert(name.to_owned(), mark).is_some() {
        bail!("there are two tests with the name `{name}`");
    }

    Ok(())
}
