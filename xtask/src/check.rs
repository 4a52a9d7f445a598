// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask check`: steps of `docs/ci.md` that take more than a command.

use crate::kernel::tree::walk;
use anyhow::{bail, Result};
use clap::Subcommand;
use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
};
use xshell::{cmd, Shell};

#[derive(Subcommand)]
pub(crate) enum Check {
    /// The example finds the object by hand wrong.
    ByHand,
    /// The macro depends on the crates that the kernel has, and on no others.
    MacroDependencies,
    /// Each package can be built from what would be published of it.
    Packages,
    /// The fuzz targets: format, lints, and the inputs that once found something.
    Fuzz,
}

pub(crate) fn run(shell: &Shell, check: &Check) -> Result<()> {
    match check {
        Check::ByHand => by_hand(shell),
        Check::MacroDependencies => macro_dependencies(shell),
        Check::Packages => packages(shell),
        Check::Fuzz => fuzz(shell),
    }
}

/// The example says by its exit status that rows are off.
fn by_hand(shell: &Shell) -> Result<()> {
    let status = cmd!(shell, "cargo run --example shmem_sgt -- --by-hand")
        .ignore_status()
        .output()?
        .status;
    match status.code() {
        Some(1) => Ok(()),
        _ => bail!("expected rows to be off, and exit status 1: {status}"),
    }
}

/// The fuzz targets are a workspace of their own.
fn fuzz(shell: &Shell) -> Result<()> {
    let all = [
        "--manifest-path",
        "verify/fuzz/Cargo.toml",
        "--target-dir",
        "target/fuzz/test",
    ];

    cmd!(
        shell,
        "cargo fmt --manifest-path verify/fuzz/Cargo.toml --check"
    )
    .run()?;
    cmd!(
        shell,
        "cargo clippy {all...} --all-targets -- --deny warnings"
    )
    .run()?;
    cmd!(shell, "cargo test {all...}").run()?;
    Ok(())
}

/// Each package can be built from what would be published of it.
///
/// The runtime is built with the packages of its macros. Cargo unpacks those once for each target
/// folder and version, and does not look whether they have changed: so each state of the sources has
/// a folder of its own.
fn packages(shell: &Shell) -> Result<()> {
    const FOLDER: &str = "target/packages";

    let mut hasher = DefaultHasher::new();
    for folder in ["macros", "runtime/pin-macros"] {
        for file in walk(Path::new(folder))? {
            fs::read(Path::new(folder).join(&file))?.hash(&mut hasher);
            file.hash(&mut hasher);
        }
    }
    let target = format!("{FOLDER}/{:016x}", hasher.finish());

    shell.remove_path(FOLDER)?;
    cmd!(shell, "cargo package --allow-dirty --target-dir {target}")
        .args(["--package", "devres-lazy-macros"])
        .args(["--package", "devres-lazy-pin-macros"])
        .args(["--package", "devres-lazy"])
        .run()?;
    Ok(())
}

/// The kernel has these crates and no others.
fn macro_dependencies(shell: &Shell) -> Result<()> {
    // The name and version of a package, for cargo to fill in.
    let format = "{p}";
    let tree = cmd!(
        shell,
        "cargo tree --package devres-lazy-macros --prefix none --format {format}"
    )
    .read()?;
    let allowed = [
        "devres-lazy-macros",
        "proc-macro2",
        "quote",
        "syn",
        "unicode-ident",
    ];

    for line in tree.lines() {
        let name = line.split_whitespace().next().unwrap_or_default();
        if !allowed.contains(&name) {
            bail!("devres-lazy-macros depends on `{name}`, which the kernel does not have");
        }
    }

    println!("{tree}");
    Ok(())
}
