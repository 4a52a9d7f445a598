// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The input of all checks, and the outcome of one.

use crate::kernel::{job::Job, make::Make, tree::Tree};
use anyhow::Result;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// Of what is wrong, these many lines are printed. The log has all.
const MAX_LINES: usize = 60;

/// The tree that all checks look at, and where it is built.
pub(super) struct Lint<'a> {
    pub(super) make: &'a Make,
    /// Where things are built.
    pub(super) out: PathBuf,
    pub(super) tree: &'a Tree,
    /// The files that were changed in it.
    pub(super) files: BTreeSet<&'a Path>,
}

/// The outcome of a check.
pub(super) struct Outcome {
    /// A summary of the check, for people.
    pub(super) what: String,
    /// The faults, a line or more for each; empty if there are none.
    pub(super) faults: String,
}

impl Lint<'_> {
    /// Runs `make` where things are built.
    pub(super) fn make(&self, arguments: &[&str], log: &Path) -> Result<bool> {
        Job::start(self.make.command(&self.out)?.args(arguments), log)?.finish()
    }

    /// The name in the tree of a file that a tool calls this: absolute, or from the top.
    pub(super) fn in_tree<'a>(&self, name: &'a (impl AsRef<Path> + ?Sized)) -> &'a Path {
        let name = name.as_ref();
        name.strip_prefix(&self.make.source).unwrap_or(name)
    }

    /// Whether it is a file of ours, or one that is edited.
    pub(super) fn concerns(&self, name: &str) -> bool {
        self.files.contains(self.in_tree(name))
    }
}

/// The first lines of what is wrong, indented.
pub(super) fn first(faults: &str) -> String {
    let lines = faults.lines().take(MAX_LINES);
    let mut text: String = lines
        .map(|line| format!("     {line}").trim_end().to_owned() + "\n")
        .collect();
    let more = faults.lines().count().saturating_sub(MAX_LINES);
    if more > 0 {
        text += &format!("     ({more} more lines)\n");
    }
    text
}
