// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The crates of `Cargo.lock` in the cache, for cargos that neither have a registry's index nor
//! ask the network.

use super::toolchain::FOLDER;
use crate::{
    exit::Exit,
    kernel::{
        cache::Cache,
        job::{self, Job},
        spinner,
        tools::is_cargo_offline,
    },
};
use anyhow::{bail, Result};
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
    let job = Job::start(
        Command::new("cargo")
            .current_dir(shell.current_dir())
            // With the machine's own settings, which may name a mirror.
            .args(["vendor", "--locked", "--respect-source-config"])
            .arg(&crates),
        &log,
    )?;
    let has_all = job.finish()?;
    spinner.finish_and_clear();

    if !has_all {
        let said = job::tail(&log, 20);
        if is_cargo_offline(&said) {
            bail!(Exit::Skipped(format!(
                "the crates of Cargo.lock cannot be downloaded, see {}",
                log.display()
            )));
        }
        bail!("cargo cannot collect the crates of Cargo.lock:\n{said}");
    }

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
