// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Git, with a repository that is made for a patch and removed with it. Of the user's
//! configuration, only their name and address are used.

use super::tree::{self, Tree};
use crate::exit::Exit;
use anyhow::{bail, ensure, Context, Result};
use std::{
    ffi::OsStr,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Fails if Git is not here.
pub(crate) fn ensure() -> Result<()> {
    said(&["--version"]).map(|_| ())
}

/// Runs Git in the current folder, and returns its output.
fn said(arguments: &[&str]) -> Result<String> {
    let mut git = Command::new("git");
    match git.args(arguments).stderr(Stdio::null()).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("git is not here, and makes the patches: `apt-get install git`")
        }
        output => Ok(String::from_utf8(
            output.context("git cannot be run")?.stdout,
        )?),
    }
}

/// The author who signs off.
#[derive(Clone)]
pub(crate) struct Author {
    name: String,
    email: String,
}

impl Author {
    /// The one of Git's configuration.
    pub(crate) fn configured() -> Result<Self> {
        Self::read(|key| said(&["config", "--get", key]))
    }

    /// An author for patches that are not kept.
    pub(crate) fn stand_in() -> Self {
        Self {
            name: "Nobody".to_owned(),
            email: "nobody@example.org".to_owned(),
        }
    }

    fn read(get: impl Fn(&str) -> Result<String>) -> Result<Self> {
        let value = |key: &str, example: &str| match get(key)?.trim() {
            "" => bail!(Exit::Usage(format!(
                "Git does not know who signs off the patches: \
                 `git config --global {key} '{example}'`"
            ))),
            value => Ok(value.to_owned()),
        };

        Ok(Self {
            name: value("user.name", "Your Name")?,
            email: value("user.email", "you@your.domain")?,
        })
    }
}

pub(crate) struct Repository {
    root: PathBuf,
    author: Author,
}

impl Repository {
    /// Makes a repository and its folder. The first commit, `base`, has those files of `base` that
    /// are changed in `tree`.
    pub(crate) fn new(root: &Path, author: &Author, base: &Tree, tree: &Tree) -> Result<Self> {
        fs::create_dir(root)?;
        let repository = Self {
            root: root.to_owned(),
            author: author.clone(),
        };
        repository.run(["init", "--quiet", "--initial-branch=series"])?;
        for change in tree.changes()? {
            if base.has(&change.path) {
                repository.write(&change.path, &base.read(&change.path)?)?;
            }
        }
        repository.commit(&format!("Linux {}", tree.version()))?;
        repository.run(["tag", "base"])?;

        Ok(repository)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Commits the changes of a tree.
    pub(crate) fn commit_changes(&self, tree: &Tree, message: &str) -> Result<()> {
        for change in tree.changes()? {
            self.write(&change.path, &change.new)?;
        }
        self.commit(message)
    }

    /// Writes all that was committed since `base` as one patch.
    pub(crate) fn diff(&self, patch: &Path) -> Result<()> {
        let output = format!("--output={}", patch.display());
        self.run(["diff", &output, "base", "HEAD"])
    }

    fn write(&self, path: &Path, text: &str) -> Result<()> {
        let path = self.root.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, text).with_context(|| path.display().to_string())
    }

    fn commit(&self, message: &str) -> Result<()> {
        self.run(["add", "--all", "--force"])?;
        self.run(["commit", "--quiet", "--signoff", "--message", message])
    }

    /// Runs `git` there.
    pub(crate) fn run<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<()> {
        let mut command = tree::git(&self.root);
        for person in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{person}_NAME"), &self.author.name)
                .env(format!("GIT_{person}_EMAIL"), &self.author.email)
                .env_remove(format!("GIT_{person}_DATE"));
        }
        command
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .args(arguments);

        let output = command.output()?;
        ensure!(
            output.status.success(),
            "{command:?} fails:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_invented() {
        for (known, missing) in [("user.name", "user.email"), ("user.email", "user.name")] {
            let get = |key: &str| Ok(if key == known { "A B\n" } else { "\n" }.to_owned());
            let Err(error) = Author::read(get) else {
                panic!("nobody has {missing}");
            };
            assert!(
                matches!(error.downcast_ref(), Some(Exit::Usage(_))),
                "{error}"
            );
            let expected = format!("`git config --global {missing} '");
            assert!(error.to_string().contains(&expected), "{error}");
        }
    }

    #[test]
    fn a_patch_has_new_and_edited_files() {
        let folder = tempfile::tempdir().unwrap();
        let linux = folder.path();
        let makefile = "VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\n";
        fs::write(linux.join("Makefile"), makefile).unwrap();
        fs::write(linux.join("b"), "a\nb\n").unwrap();
        let mut base = Tree::open(linux).unwrap();
        base.write("c", "of an earlier series\n");
        let mut tree = base.clone();
        tree.write("a", "a\nb\n");
        tree.write("b", "a\nc\n");

        let patch = linux.join("patch");
        let repository = linux.join("made");
        let repository = Repository::new(&repository, &Author::stand_in(), &base, &tree).unwrap();
        repository.commit_changes(&tree, "all").unwrap();
        repository.diff(&patch).unwrap();

        let text = fs::read_to_string(patch).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with("index "));
        let expected = "diff --git a/a b/a\nnew file mode 100644\n--- /dev/null\n+++ b/a\n\
                        @@ -0,0 +1,2 @@\n+a\n+b\ndiff --git a/b b/b\n--- a/b\n+++ b/b\n\
                        @@ -1,2 +1,2 @@\n a\n-b\n+c";
        assert_eq!(lines.collect::<Vec<_>>().join("\n"), expected);
    }
}
