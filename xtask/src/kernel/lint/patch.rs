// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `checkpatch.pl --strict`, over what is added to the tree as one patch.

use super::check::{Lint, Outcome};
use crate::kernel::{
    checkpatch,
    git::{self, Author, Repository},
};
use anyhow::Result;
use std::path::Path;

/// Makes the patch, and runs checkpatch over it.
pub(super) fn check(lint: &Lint<'_>, log: &Path) -> Result<Outcome> {
    git::ensure()?;
    let folder = tempfile::tempdir()?;
    let repository = folder.path().join("made");
    let repository = Repository::new(&repository, &Author::stand_in(), lint.tree)?;
    repository.commit_changes(lint.tree, "All of it")?;
    let patch = log.with_extension("patch");
    repository.diff(&patch)?;

    let report = checkpatch::run(&lint.make.source, &lint.out, &patch, log)?;
    Ok(Outcome {
        what: report.total,
        faults: report.complaints,
    })
}
