// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Patches, made from trees and made into trees again.

use crate::kernel::{
    git::{Author, Repository},
    tree::{walk, Change, Tree},
};
use anyhow::{ensure, Context, Result};
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

/// Writes a cover letter, and a patch for each commit, to the folder `patches`. The first commit
/// changes `base`. A commit is the tree after it, and its message. Returns the patches without the
/// cover letter.
pub(super) fn write(
    repository: &Path,
    author: &Author,
    base: &Tree,
    cover: &str,
    commits: &[(&Tree, String)],
    patches: &Path,
) -> Result<Vec<PathBuf>> {
    let (last, _) = commits.last().context("there is nothing to write")?;
    let repository = Repository::new(repository, author, base, last)?;
    for (tree, message) in commits {
        repository.commit_changes(tree, message)?;
    }

    repository.run(["config", "branch.series.description", cover])?;
    let folder = format!("--output-directory={}", patches.display());
    repository.run([
        "format-patch",
        "--quiet",
        "--cover-letter",
        "--cover-from-description=subject",
        &folder,
        "base..series",
    ])?;

    let names = walk(patches)?;
    ensure!(
        names.len() == commits.len() + 1,
        "there are {} files for a cover letter and {} patches",
        names.len(),
        commits.len()
    );
    // The cover letter is the first.
    let names = names.into_iter().skip(1);
    Ok(names.map(|name| patches.join(name)).collect())
}

/// Fails unless `git am` makes of the files of `base` what they are in this tree.
pub(super) fn check(
    repository: &Path,
    author: &Author,
    base: &Tree,
    patches: &[PathBuf],
    tree: &Tree,
) -> Result<()> {
    let repository = Repository::new(repository, author, base, tree)?;
    let arguments = ["am", "--quiet"].map(OsStr::new);
    let patches = patches.iter().map(|patch| patch.as_os_str());
    repository.run(arguments.into_iter().chain(patches))?;

    let changes = tree.changes()?;
    let found = walk(repository.root())?;
    ensure!(
        found.iter().eq(changes.iter().map(|change| &change.path)),
        "`git am` makes other files of the patches than `apply` adds or edits: {found:?}"
    );
    for Change { path, new, .. } in &changes {
        ensure!(
            fs::read(repository.root().join(path))? == new.as_bytes(),
            "`git am` makes something else of {} than `apply` does",
            path.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    /// A tree, and the same after one edit and after another, with a new file.
    fn trees() -> (TempDir, Tree, Vec<Tree>) {
        let folder = tempfile::tempdir().unwrap();
        let makefile = "VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\n";
        fs::write(folder.path().join("Makefile"), makefile).unwrap();
        fs::write(folder.path().join("a"), "one\ntwo\n").unwrap();

        let base = Tree::open(folder.path()).unwrap();
        let mut tree = base.clone();
        tree.write("a", "one\n2\n");
        let first = tree.clone();
        tree.write("a", "1\n2\n");
        tree.write("rust/b", "new\n");
        (folder, base, vec![first, tree])
    }

    /// Writes the patches for the trees to a folder.
    fn written(folder: &Path, base: &Tree, trees: &[Tree]) -> Vec<PathBuf> {
        let message = |index| format!("a: change {index}\n\nIt is #[a].\n");
        let commits: Vec<_> = trees.iter().zip((0..).map(message)).collect();
        let cover = "a: changes\n\nThere are two.\n";
        let patches = folder.join("patches");
        write(
            &folder.join("made"),
            &Author::stand_in(),
            base,
            cover,
            &commits,
            &patches,
        )
        .unwrap()
    }

    #[test]
    fn patches_are_as_one_mails_them() {
        let (_linux, base, trees) = trees();
        let folder = tempfile::tempdir().unwrap();
        let patches = written(folder.path(), &base, &trees);

        let names: Vec<_> = patches
            .iter()
            .map(|patch| patch.file_name().unwrap())
            .collect();
        assert_eq!(names, ["0001-a-change-0.patch", "0002-a-change-1.patch"]);

        for (file, lines) in [
            (
                "0001-a-change-0.patch",
                &[
                    "From: Nobody <nobody@example.org>\n",
                    "Subject: [PATCH 1/2] a: change 0\n\nIt is #[a].\n\n",
                    "\nSigned-off-by: Nobody <nobody@example.org>\n---\n",
                    "\n one\n-two\n+2\n",
                ][..],
            ),
            (
                "0000-cover-letter.patch",
                &[
                    "Subject: [PATCH 0/2] a: changes\n\n",
                    "\nThere are two.\n",
                    " 2 files changed, 3 insertions(+), 2 deletions(-)\n",
                ],
            ),
        ] {
            let text = fs::read_to_string(folder.path().join("patches").join(file)).unwrap();
            for line in lines {
                assert!(text.contains(line), "{line}:\n{text}");
            }
        }
    }

    #[test]
    fn what_patches_make_is_compared() {
        let (_linux, base, trees) = trees();
        let folder = tempfile::tempdir().unwrap();
        let patches = written(folder.path(), &base, &trees);
        let text = fs::read_to_string(&patches[1]).unwrap();
        for (from, to, expected) in [
            ("\n+new\n", "\n+old\n", Some("something else of rust/b")),
            ("rust/b", "rust/c", Some("other files")),
            ("\n 2\n", "\n 3\n", Some("patch does not apply")),
            ("\n+new\n", "\n+new\n", None),
        ] {
            fs::write(&patches[1], text.replace(from, to)).unwrap();
            let repository = tempfile::tempdir().unwrap();
            let repository = repository.path().join("applied");
            let found = check(&repository, &Author::stand_in(), &base, &patches, &trees[1]);
            match (found, expected) {
                (Ok(()), None) => (),
                (Err(error), Some(text)) if error.to_string().contains(text) => (),
                (found, _) => panic!("{to:?}: {found:?}"),
            }
        }
    }
}
