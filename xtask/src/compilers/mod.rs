// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask compilers`: builds and tests with the oldest compiler that the crates support, and
//! with the newest that Debian has.
//!
//! | file | what |
//! |---|---|
//! | `toolchain` | the two compilers, from Debian's packages, in the cache |
//! | `checks`, `left_out` | what is built and tested, and which tests are left out |
//! | `outcome` | the messages and tests in the output of cargo |

mod checks;
mod left_out;
mod outcome;
pub(crate) mod toolchain;

use crate::{
    cargo, exit,
    kernel::{cache::Cache, job},
    report::{page, table},
};
use anyhow::{ensure, Result};
use checks::Checks;
use clap::{Parser, ValueEnum};
use std::{path::Path, slice};
use toolchain::{Toolchain, Which};
use xshell::Shell;

/// The page with the tables.
const PAGE: &str = "docs/compilers.md";

#[derive(Parser)]
#[command(after_help = exit::HELP)]
pub(crate) struct Options {
    /// Downloads the compilers from Debian to the cache if they are not there, or if there is a
    /// newer one. Installs nothing.
    #[arg(long)]
    install: bool,

    /// Only one of the compilers. The page is not written then.
    #[arg(long, value_name = "COMPILER")]
    only: Option<Which>,
}

/// Builds and tests with each compiler, and prints the faults, or else the table.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    job::end_with_us()?;
    let cache = Cache::open()?;
    let _lock = cache.lock(toolchain::FOLDER)?;
    let chosen = options.only.as_ref().map(slice::from_ref);
    let mut toolchains = Vec::new();
    for which in chosen.unwrap_or(Which::value_variants()) {
        toolchains.push(Toolchain::find(&cache, *which, options.install)?);
    }
    let home = checks::vendor(shell, &cache)?;
    let target = cargo::target_folder(shell)?.join("compilers");

    let parts = checks::PARTS.map(|(part, _)| part);
    let header = [
        &["compiler", "Debian's package"],
        &parts[..],
        &["tests", "warnings"],
    ];
    let mut rows = vec![table::cells(header.concat())];
    let mut faults = 0;
    for toolchain in &toolchains {
        let Toolchain { which, package, .. } = toolchain;
        let checks = Checks {
            cache: &cache,
            toolchain,
            root: &shell.current_dir(),
            home: &home,
            target: target.join(package),
        };
        let outcome = checks.run()?;
        for fault in &outcome.faults {
            println!("{}: {fault}", which.name());
        }
        faults += outcome.faults.len();

        let mut row = vec![
            format!("{}: rustc {}", which.name(), toolchain.release()),
            format!("`{package}`"),
        ];
        row.extend(parts.map(|_| "builds".to_owned()));
        row.extend([format!("{} passed", outcome.passed), "none".to_owned()]);
        rows.push(row);
    }
    ensure!(faults == 0, "the compilers have found {faults} faults");

    let tables = format!("{}\n{}", table::text(&rows), left_out::table());
    println!("\n{tables}");
    if options.only.is_none() {
        page::write(Path::new(PAGE), &[("compilers", tables)])?;
    }
    Ok(())
}
