// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Asks cargo and rustc for targets, folders and programs.

use anyhow::{Context, Result};
use serde_json::Value;
use std::path::PathBuf;
use xshell::{cmd, Shell};

/// Returns a line that rustc prints about itself: its `release`, or the `host` that it builds for,
/// which builds with sanitizers have to name.
pub(crate) fn rustc(shell: &Shell, what: &str) -> Result<String> {
    let verbose = cmd!(shell, "rustc --version --verbose").quiet().read()?;
    let mut lines = verbose.lines().filter_map(|line| line.split_once(": "));
    let found = lines.find(|(name, _)| *name == what);
    let (_, value) = found.with_context(|| format!("rustc does not say its {what}"))?;

    Ok(value.to_owned())
}

/// Where cargo builds.
pub(crate) fn target_folder(shell: &Shell) -> Result<PathBuf> {
    let metadata = cmd!(shell, "cargo metadata --no-deps --format-version 1")
        .quiet()
        .read()?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let target = metadata["target_directory"]
        .as_str()
        .context("cargo does not say where it builds")?;

    Ok(target.into())
}
