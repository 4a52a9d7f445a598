// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `checkpatch.pl --strict`, over what is added to the tree as one patch.

use super::{
    Lint,
    Outcome, //
};
use crate::kernel::{
    checkpatch,
    tree::Change, //
};
use anyhow::Result;
use similar::TextDiff;
use std::{
    fs,
    path::Path, //
};

/// Runs it.
pub(super) fn check(lint: &Lint<'_>, log: &Path) -> Result<Outcome> {
    let patch = log.with_extension("patch");
    let text: String = lint.changes.iter().map(diff).collect();
    fs::write(&patch, &text)?;

    let report = checkpatch::run(&lint.make.source, &lint.out, &patch, log)?;
    Ok(Outcome {
        what: report.total,
        faults: report.complaints,
    })
}

/// The part of a patch about one file, as Git writes it.
fn diff(change: &Change) -> String {
    let path = change.path.display();
    let (old, mode, from) = match &change.old {
        Some(old) => (old.as_str(), "", format!("a/{path}")),
        None => ("", "new file mode 100644\n", "/dev/null".to_owned()),
    };
    let hunks = TextDiff::from_lines(old, &change.new)
        .unified_diff()
        .header(&from, &format!("b/{path}"))
        .to_string();

    format!("diff --git a/{path} b/{path}\n{mode}{hunks}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_has_new_and_edited_files() {
        let new = Change {
            path: "rust/a.rs".into(),
            old: None,
            new: "a\nb\n".to_owned(),
        };
        let edited = Change {
            path: "rust/b.rs".into(),
            old: Some("a\nb\n".to_owned()),
            new: "a\nc\n".to_owned(),
        };

        assert_eq!(
            diff(&new),
            "diff --git a/rust/a.rs b/rust/a.rs\nnew file mode 100644\n--- /dev/null\n\
             +++ b/rust/a.rs\n@@ -0,0 +1,2 @@\n+a\n+b\n"
        );
        assert_eq!(
            diff(&edited),
            "diff --git a/rust/b.rs b/rust/b.rs\n--- a/rust/b.rs\n+++ b/rust/b.rs\n\
             @@ -1,2 +1,2 @@\n a\n-b\n+c\n"
        );
    }
}
