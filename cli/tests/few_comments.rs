// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Expansions have few comments: documentation aside, each committed one adds at most half as many
//! lines of comment as of code to its source.

use anyhow::{ensure, Context, Result};
use cargo_devres_lazy::Committed;
use similar::{ChangeTag, TextDiff};
use std::{fs, path::Path};

/// The lines of comment and of code that an expansion adds to its source.
fn added(source: &str, expansion: &str) -> (usize, usize) {
    let diff = TextDiff::from_lines(source, expansion);
    let added = diff
        .iter_all_changes()
        .filter(|change| change.tag() == ChangeTag::Insert)
        .map(|change| change.value().trim())
        .filter(|line| !line.is_empty());
    let is_docs = |line: &&str| line.starts_with("///") || line.starts_with("//!");
    let (comments, code): (Vec<_>, Vec<_>) = added
        .filter(|line| !is_docs(line))
        .partition(|line| line.starts_with("//"));

    (comments.len(), code.len())
}

#[test]
fn comments_are_half_of_the_code_at_most() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folders = ["examples", "tests/expand"].map(|folder| root.join(folder));
    let expansions = Committed::find(&folders)?;
    ensure!(expansions.len() > 15, "there are only {}", expansions.len());

    for path in expansions {
        let text = fs::read_to_string(&path)?;
        let (_, source) = text
            .split_once("// Expanded from ")
            .with_context(|| path.display().to_string())?;
        let (source, _) = source.split_once(' ').context("no source")?;
        let source = fs::read_to_string(path.with_file_name(source))?;

        let (comments, code) = added(&source, &text);
        ensure!(code > 20, "{}: {code} lines of code", path.display());
        ensure!(
            comments * 2 <= code,
            "{}: {comments} lines of comment to {code} of code",
            path.display()
        );
    }
    Ok(())
}

#[test]
fn lines_are_counted() {
    let counted = added("a\n", "// b\na\n/// c\n\n  // d\ne\n");
    assert_eq!(counted, (2, 1));
}
