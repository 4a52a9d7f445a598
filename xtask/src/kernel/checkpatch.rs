// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `checkpatch.pl --strict`, as a tree has it.

use super::job::{self, Job};
use anyhow::{Context, Result};
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
    report(&said, is_clean).with_context(|| format!("checkpatch.pl fails:\n{}", job::tail(log, 20)))
}

/// Reads the output of checkpatch.pl. Returns [`None`] if that has no total.
fn report(said: &str, is_clean: bool) -> Option<Report> {
    let total = said.lines().find(|line| line.starts_with("total: "))?;
    let complaints = match said.split(total).next()?.trim() {
        _ if is_clean => "",
        "" => "it is not content, and does not say why",
        complaints => complaints,
    };
    Some(Report {
        total: total.to_owned(),
        complaints: complaints.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_what_comes_first() {
        for (said, is_clean, complaints) in [
            (
                "WARNING: line\n#5:\n+x\n\ntotal: 0\n\nNOTE",
                false,
                "WARNING: line\n#5:\n+x",
            ),
            (
                "total: 0\n",
                false,
                "it is not content, and does not say why",
            ),
            ("total: 0\n", true, ""),
        ] {
            let report = report(said, is_clean).unwrap();
            assert_eq!(
                (&*report.total, &*report.complaints),
                ("total: 0", complaints)
            );
        }
        assert!(report("Unknown option: x\n", false).is_none());
    }
}
