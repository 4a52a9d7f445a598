// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The crates of `Cargo.lock` in the cache, for cargos that neither have a registry's index nor
//! ask the network.

use super::toolchain::FOLDER;
use crate::kernel::{cache::Cache, spinner, tools::run_cargo};
use anyhow::Result;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use xshell::Shell;

/// Has the machine's cargo write the crates to the cache. Returns a home folder for other cargos,
/// whose settings are that these are the crates.
pub(super) fn vendor(shell: &Shell, cache: &Cache) -> Result<PathBuf> {
    let folder = cache.path(FOLDER);
    let crates = folder.join("crates");
    let log = cache.path("logs/compilers-crates.log");
    let spinner = spinner("collecting the crates of Cargo.lock".to_owned());
    run_cargo(
        Command::new("cargo")
            .current_dir(shell.current_dir())
            // With the machine's own settings, which may name a mirror.
            .args(["vendor", "--locked", "--respect-source-config"])
            .arg(&crates),
        &log,
        "the crates of Cargo.lock",
    )?;
    spinner.finish_and_clear();

    let home = folder.join("home");
    fs::create_dir_all(&home)?;
    fs::write(home.join("config.toml"), settings(&crates))?;
    Ok(home)
}

/// The settings of a cargo that has all crates in a folder.
fn settings(crates: &Path) -> String {
    format!(
        "[net]\n\
         offline = true\n\
         \n\
         [source.crates-io]\n\
         replace-with = \"here\"\n\
         \n\
         [source.here]\n\
         directory = {crates:?}\n"
    )
}
