// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `checkpatch.pl --strict`, over what is added to the tree as one patch.

use super::{
    Lint,
    Outcome, //
};
use crate::kernel::{
    job,
    tree::Change, //
};
use anyhow::{
    bail,
    Result, //
};
use similar::TextDiff;
use std::{
    fs,
    path::Path,
    process::Command, //
};

/// What does not concern the code.
const IGNORED: [&str; 1] = [
    // Asks for an entry in MAINTAINERS for new files: that is for those to make who take them.
    "FILE_PATH_CHANGES",
];

/// Runs it.
pub(super) fn check(lint: &Lint<'_>, log: &Path) -> Result<Outcome> {
    let patch = log.with_extension("patch");
    let text: String = lint.changes.iter().map(diff).collect();
    fs::write(&patch, &text)?;

    let script = lint.make.source.join("scripts/checkpatch.pl");
    let clean = lint.run(
        Command::new("perl")
            .current_dir(&lint.make.source)
            // Whoever runs this may have a configuration of their own.
            .env_remove("CHECKPATCH_CONFIG_DIR")
            .env("HOME", &lint.out)
            .arg(script)
            .args(["--strict", "--show-types", "--no-color", "--ignore"])
            .arg(IGNORED.join(","))
            .arg(&patch),
        log,
    )?;

    let said = fs::read_to_string(log)?;
    let Some(total) = said.lines().find(|line| line.starts_with("total: ")) else {
        bail!("checkpatch.pl fails:\n{}", job::tail(log, 20));
    };
    Ok(Outcome {
        what: total.to_owned(),
        faults: if clean {
            String::new()
        } else {
            complaints(&said)
        },
    })
}

/// What comes before the sum.
fn complaints(said: &str) -> String {
    let complaints = said.split("total: ").next().unwrap_or_default().trim();
    if complaints.is_empty() {
        return "it is not content, and does not say why".to_owned();
    }

    complaints.to_owned()
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

    #[test]
    fn a_complaint_is_what_comes_first() {
        assert_eq!(
            complaints("WARNING:LONG_LINE: line\n#5: FILE: a.rs:1:\n+x\n\ntotal: 0 errors\n\nNOTE"),
            "WARNING:LONG_LINE: line\n#5: FILE: a.rs:1:\n+x"
        );
        assert!(!complaints("total: 1 errors").is_empty());
    }
}
