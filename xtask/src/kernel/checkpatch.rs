// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `checkpatch.pl --strict`, as a tree has it.

use super::job::{self, Job};
use anyhow::{bail, Context, Result};
use std::{fs, path::Path, process::Command};

/// The types of complaints that do not concern the code.
const IGNORED: [&str; 1] = [
    // Asks for an entry in MAINTAINERS for new files, which is up to those who merge them.
    "FILE_PATH_CHANGES",
];

/// The result of checkpatch.pl for a patch.
pub(crate) struct Report {
    /// Its last line, with how much there is of what.
    pub(crate) total: String,
    /// All before that, if anything is wrong.
    pub(crate) complaints: String,
}

/// Runs that of the tree at `linux` over a patch. It finds no configuration in `home`.
pub(crate) fn run(linux: &Path, home: &Path, patch: &Path, log: &Path) -> Result<Report> {
    let job = Job::start(
        Command::new("perl")
            .current_dir(linux)
            // The user may have a configuration of their own.
            .env_remove("CHECKPATCH_CONFIG_DIR")
            .env("HOME", home)
            .arg(linux.join("scripts/checkpatch.pl"))
            .args(["--strict", "--show-types", "--no-color", "--ignore"])
            .arg(IGNORED.join(","))
            .arg(patch),
        log,
    )
    .context("checkpatch.pl needs perl: `apt-get install perl`")?;
    let is_clean = job.finish()?;

    let said = fs::read_to_string(log)?;
    let Some(total) = said.lines().find(|line| line.starts_with("total: ")) else {
        bail!("checkpatch.pl fails:\n{}", job::tail(log, 20));
    };
    Ok(Report {
        total: total.to_owned(),
        complaints: if is_clean {
            String::new()
        } else {
            complaints(&said)
        },
    })
}

/// Returns the text before the total.
fn complaints(said: &str) -> String {
    let complaints = said.split("total: ").next().unwrap_or_default().trim();
    if complaints.is_empty() {
        return "it is not content, and does not say why".to_owned();
    }

    complaints.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_what_comes_first() {
        assert_eq!(
            complaints("WARNING:LONG_LINE: line\n#5: FILE: a.rs:1:\n+x\n\ntotal: 0 errors\n\nNOTE"),
            "WARNING:LONG_LINE: line\n#5: FILE: a.rs:1:\n+x"
        );
        assert!(!complaints("total: 1 errors").is_empty());
    }
}
