// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Asks cargo and rustc for targets, folders and programs.

use anyhow::{Context, Result};
use serde_json::Value;
use std::path::PathBuf;
use xshell::{cmd, Shell};

/// The target that rustc builds for. Builds with sanitizers have to name it.
pub(crate) fn host(shell: &Shell) -> Result<String> {
    let verbose = cmd!(shell, "rustc --version --verbose").quiet().read()?;
    let host = verbose
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("rustc does not say what it runs on")?;

    Ok(host.to_owned())
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

/// The name and the file of a program that cargo says in this line, in JSON, to have built.
pub(crate) fn program(line: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(line).ok()?;
    let file = message["executable"].as_str()?;

    Some((message["target"]["name"].as_str()?.to_owned(), file.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_those_that_can_be_run() {
        let line = |executable: &str| {
            program(&format!(
                r#"{{"target":{{"name":"stress"}},"executable":{executable}}}"#
            ))
        };

        assert_eq!(
            line(r#""/t/stress-1""#),
            Some(("stress".to_owned(), PathBuf::from("/t/stress-1")))
        );
        assert_eq!(line("null"), None);
        assert_eq!(program("   Compiling stress"), None);
    }
}
