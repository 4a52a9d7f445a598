// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Patches, made from trees and made into trees again.

use crate::kernel::{
    git::{Author, Repository},
    tree::{walk, Change, Tree},
};
use anyhow::{ensure, Context, Result};
use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

/// A commit that becomes a patch: the tree after it, and its message.
pub(super) struct Commit<'a> {
    pub(super) tree: &'a Tree,
    pub(super) message: String,
}

/// Writes a cover letter and a patch for each commit to the folder `patches`, by way of a
/// repository that has what they touch of the tree and no more.
pub(super) fn write(
    repository: &Path,
    author: &Author,
    cover: &str,
    commits: &[Commit<'_>],
    patches: &Path,
) -> Result<Vec<PathBuf>> {
    let last = commits.last().context("there is nothing to write")?;
    let repository = Repository::new(repository, author, last.tree)?;
    for commit in commits {
        repository.commit_changes(commit.tree, &commit.message)?;
    }

    repository.run(["config", "branch.series.description", cover])?;
    let arguments = ["format-patch", "--quiet", "--cover-letter"];
    let rest = ["--cover-from-description=subject", "--output-directory"];
    let arguments = arguments.iter().chain(&rest).map(OsStr::new);
    repository.run(arguments.chain([patches.as_os_str(), OsStr::new("base..series")]))?;

    let names = walk(patches)?;
    ensure!(
        names.len() == commits.len() + 1,
        "there are {} files for a cover letter and {} patches",
        names.len(),
        commits.len()
    );
    // The cover letter is the first.
    Ok(names
        .into_iter()
        .skip(1)
        .map(|name| patches.join(name))
        .collect())
}

/// Fails unless `git am` makes of the files what they are in this tree.
pub(super) fn check(
    repository: &Path,
    author: &Author,
    patches: &[PathBuf],
    tree: &Tree,
) -> Result<()> {
    let repository = Repository::new(repository, author, tree)?;
    let arguments = ["am", "--quiet"].map(OsStr::new);
    let patches = patches.iter().map(|patch| patch.as_os_str());
    repository.run(arguments.into_iter().chain(patches))?;

    let changes = tree.changes()?;
    let expected: BTreeSet<&Path> = changes.iter().map(|change| change.path.as_path()).collect();
    let found = walk(repository.root())?;
    ensure!(
        found.iter().map(PathBuf::as_path).eq(expected),
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
    fn trees() -> (TempDir, Vec<Tree>) {
        let folder = tempfile::tempdir().unwrap();
        let makefile = "VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\n";
        fs::write(folder.path().join("Makefile"), makefile).unwrap();
        fs::write(folder.path().join("a"), "one\ntwo\n").unwrap();

        let mut tree = Tree::open(folder.path()).unwrap();
        tree.write("a", "one\n2\n");
        let first = tree.clone();
        tree.write("a", "1\n2\n");
        tree.write("rust/b", "new\n");
        (folder, vec![first, tree])
    }

    /// Writes the patches for the trees to a folder.
    fn written(folder: &Path, trees: &[Tree]) -> Vec<PathBuf> {
        let commits: Vec<_> = trees
            .iter()
            .enumerate()
            .map(|(index, tree)| Commit {
                tree,
                message: format!("a: change {index}\n\nIt is #[a].\n"),
            })
            .collect();
        write(
            &folder.join("made"),
            &Author::stand_in(),
            "a: changes\n\nThere are two.\n",
            &commits,
            &folder.join("patches"),
        )
        .unwrap()
    }

    #[test]
    fn patches_are_as_one_mails_them() {
        let (_linux, trees) = trees();
        let folder = tempfile::tempdir().unwrap();
        let patches = written(folder.path(), &trees);

        let names: Vec<_> = patches
            .iter()
            .map(|patch| patch.file_name().unwrap())
            .collect();
        assert_eq!(names, ["0001-a-change-0.patch", "0002-a-change-1.patch"]);

        let first = fs::read_to_string(&patches[0]).unwrap();
        for line in [
            "From: Nobody <nobody@example.org>\n",
            "Subject: [PATCH 1/2] a: change 0\n\nIt is #[a].\n\n",
            "\nSigned-off-by: Nobody <nobody@example.org>\n---\n",
            "\n one\n-two\n+2\n",
        ] {
            assert!(first.contains(line), "{line}:\n{first}");
        }

        let cover = folder.path().join("patches/0000-cover-letter.patch");
        let cover = fs::read_to_string(cover).unwrap();
        for line in [
            "Subject: [PATCH 0/2] a: changes\n\n",
            "\nThere are two.\n",
            " 2 files changed, 3 insertions(+), 2 deletions(-)\n",
        ] {
            assert!(cover.contains(line), "{line}:\n{cover}");
        }
    }

    #[test]
    fn what_patches_make_is_compared() {
        let (_linux, trees) = trees();
        let folder = tempfile::tempdir().unwrap();
        let patches = written(folder.path(), &trees);
        let applied = |name: &str| {
            check(
                &folder.path().join(name),
                &Author::stand_in(),
                &patches,
                &trees[1],
            )
        };

        applied("as they are").unwrap();

        let text = fs::read_to_string(&patches[1]).unwrap();
        fs::write(&patches[1], text.replace("\n+new\n", "\n+old\n")).unwrap();
        let error = applied("other text").unwrap_err().to_string();
        assert!(error.contains("something else of rust/b"), "{error}");

        fs::write(&patches[1], text.replace("rust/b", "rust/c")).unwrap();
        let error = applied("other name").unwrap_err().to_string();
        assert!(error.contains("other files"), "{error}");

        fs::write(&patches[1], text.replace("\n 2\n", "\n 3\n")).unwrap();
        let error = applied("other context").unwrap_err().to_string();
        assert!(error.contains("patch does not apply"), "{error}");
    }
}
