// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A Linux tree, and what is to be changed in it.
//!
//! Changes are collected first, and written when all of them have been found to work. A build uses
//! a copy of the tree. Only files that differ are written to the copy again, so that `make` builds
//! only what it has to.

use super::pattern::pattern;
use crate::exit::Exit;
use anyhow::{ensure, Context, Result};
use regex_lite::Regex;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fmt,
    fs::{self, File, FileTimes, Metadata},
    io::{self, ErrorKind},
    os::unix::{
        ffi::OsStrExt,
        fs::{symlink, MetadataExt},
    },
    path::{Path, PathBuf},
    process::Command,
    str::FromStr,
    sync::LazyLock,
};

/// The oldest kernel that has what the code is for.
pub(crate) const MINIMUM: Version = Version(7, 3, 0);

/// A version, of a kernel or of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u32, pub(crate) u32, pub(crate) u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl FromStr for Version {
    type Err = anyhow::Error;

    /// Reads the numbers that the text begins with, one to three of them.
    fn from_str(text: &str) -> Result<Self> {
        let end = text.find(|char: char| !char.is_ascii_digit() && char != '.');
        let mut numbers = text[..end.unwrap_or(text.len())].split('.').map(str::parse);
        let mut next = || numbers.next().and_then(Result::ok);
        let major = next().with_context(|| format!("`{text}` is not a version"))?;
        Ok(Self(major, next().unwrap_or(0), next().unwrap_or(0)))
    }
}

/// A tree as it is, and how it is to be.
#[derive(Clone)]
pub(crate) struct Tree {
    root: PathBuf,
    version: Version,
    /// Contents of the files that are to be changed or added.
    edits: BTreeMap<PathBuf, String>,
}

/// A change to a file of a tree.
#[derive(PartialEq)]
pub(crate) struct Change {
    pub(crate) path: PathBuf,
    pub(crate) new: String,
}

/// The storage that a copy shares with the tree.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Sharing {
    /// Files, by hard links. Nothing may write to a file of the copy, only replace it: this is for
    /// a tree of the cache, which only this module changes.
    Links,
    /// Nothing that could be noticed. Filesystems that can let copies share space.
    Nothing,
}

impl Tree {
    /// Opens a tree, which has to be recent enough.
    pub(crate) fn open(root: &Path) -> Result<Self> {
        let usage = |why: &str| Exit::Usage(format!("{} is {why}", root.display()));
        let makefile = fs::read_to_string(root.join("Makefile"))
            .map_err(|_| usage("not a Linux tree: there is no Makefile in it"))?;
        let version = version(&makefile).ok_or_else(|| {
            usage("not a Linux tree: its Makefile does not begin with VERSION and PATCHLEVEL")
        })?;
        let Version(major, minor, _) = MINIMUM;
        ensure!(
            version >= MINIMUM,
            usage(&format!(
                "Linux {version}: it has to be {major}.{minor} or newer"
            ))
        );

        Ok(Self {
            root: root.to_owned(),
            version,
            edits: BTreeMap::new(),
        })
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A file, with the changes so far.
    pub(crate) fn read(&self, path: impl AsRef<Path>) -> Result<String> {
        let path = path.as_ref();
        match self.edits.get(path) {
            Some(text) => Ok(text.clone()),
            None => fs::read_to_string(self.root.join(path))
                .with_context(|| format!("{} of Linux {}", path.display(), self.version)),
        }
    }

    /// Whether there is this file, with the changes so far.
    pub(crate) fn has(&self, path: impl AsRef<Path>) -> bool {
        let path = path.as_ref();
        self.edits.contains_key(path) || self.root.join(path).exists()
    }

    /// Changes or adds a file. Nothing is written yet.
    pub(crate) fn write(&mut self, path: impl Into<PathBuf>, text: impl Into<String>) {
        self.edits.insert(path.into(), text.into());
    }

    /// The files that are to be changed or added, and were not to be this way before.
    pub(crate) fn edits_since<'a>(
        &'a self,
        before: &'a Self,
    ) -> impl Iterator<Item = (&'a Path, &'a str)> {
        self.edits
            .iter()
            .filter(|(path, text)| before.edits.get(*path) != Some(*text))
            .map(|(path, text)| (path.as_path(), text.as_str()))
    }

    /// The changes, by name.
    pub(crate) fn changes(&self) -> Result<Vec<Change>> {
        let mut changes = Vec::new();
        for (path, new) in &self.edits {
            let is_changed = match fs::read_to_string(self.root.join(path)) {
                Ok(old) => old != *new,
                Err(error) if error.kind() == ErrorKind::NotFound => true,
                Err(error) => return Err(error).context(path.display().to_string()),
            };
            if is_changed {
                changes.push(Change {
                    path: path.clone(),
                    new: new.clone(),
                });
            }
        }

        Ok(changes)
    }

    /// Whether another tree has the same changes.
    pub(crate) fn has_same_changes(&self, other: &Self) -> Result<bool> {
        Ok(self.changes()? == other.changes()?)
    }

    /// Writes the changes to the tree itself. Returns the files that have changed.
    pub(crate) fn save(&self) -> Result<Vec<PathBuf>> {
        let changes = self.changes()?.into_iter();
        let save = |change: Change| {
            replace_if_different(&self.root.join(&change.path), &change.new)?;
            Ok(change.path)
        };
        changes.map(save).collect()
    }

    /// Makes `copy` what this tree is with the changes. Returns the files that have changed.
    ///
    /// The files of a new copy keep their times. A file that changes later gets the current time,
    /// whatever the tree says, so that it is newer than what was built from the copy.
    pub(crate) fn copy_to(
        &self,
        copy: &Path,
        sharing: Sharing,
        built: bool,
    ) -> Result<Vec<PathBuf>> {
        let mut files = self.files()?;
        files.extend(self.edits.keys().cloned());
        let mut changed = Vec::new();

        for path in &files {
            let from = self.root.join(path);
            let to = copy.join(path);
            let differs = match self.edits.get(path) {
                Some(text) => replace_if_different(&to, text),
                None => copy_if_different(&from, &to, sharing, built),
            };
            if differs.with_context(|| format!("{} cannot be copied", from.display()))? {
                changed.push(path.clone());
            }
        }
        for path in walk(copy)?.difference(&files) {
            fs::remove_file(copy.join(path))?;
            changed.push(path.clone());
        }
        Ok(changed)
    }

    /// All files but those that Git ignores or keeps for itself.
    fn files(&self) -> Result<BTreeSet<PathBuf>> {
        if let Some(files) = self.files_by_git() {
            return Ok(files);
        }

        // `make O=` refuses a tree that has these.
        for built in [".config", "include/config", "arch/x86/include/generated"] {
            ensure!(
                !self.root.join(built).exists(),
                "something was built in {}, and Git does not tell what: run `make mrproper` there",
                self.root.display()
            );
        }
        walk(&self.root)
    }

    /// The same by Git, if the tree is a repository.
    fn files_by_git(&self) -> Option<BTreeSet<PathBuf>> {
        if !self.root.join(".git").exists() {
            return None;
        }
        let output = git(&self.root)
            .args(["ls-files", "-z", "--cached", "--others"])
            .arg("--exclude-standard")
            .output()
            .ok()
            .filter(|output| output.status.success())?;

        let files: BTreeSet<PathBuf> = output
            .stdout
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
            .map(|name| PathBuf::from(OsStr::from_bytes(name)))
            // It still lists those that were removed since the last commit.
            .filter(|path| self.root.join(path).symlink_metadata().is_ok())
            .collect();
        // The `.gitignore` of Debian's trees is for packaging, and ignores Linux.
        files.contains(Path::new("Makefile")).then_some(files)
    }
}

/// Git in a folder, which does not look at the repository that has called a hook.
pub(crate) fn git(folder: &Path) -> Command {
    let mut git = Command::new("git");
    for variable in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_WORK_TREE"] {
        git.env_remove(variable);
    }
    git.current_dir(folder);
    git
}

/// The lines of a Makefile with the version.
static VERSION: LazyLock<Regex> =
    pattern!(r"(?m)^VERSION = ([0-9]+)\nPATCHLEVEL = ([0-9]+)(?:\nSUBLEVEL = ([0-9]+))?");

/// The version that a Makefile begins with.
fn version(makefile: &str) -> Option<Version> {
    let lines = VERSION.captures(makefile)?;
    let number = |at| {
        lines
            .get(at)
            .map_or(Ok(0), |number| number.as_str().parse())
    };
    Some(Version(number(1).ok()?, number(2).ok()?, number(3).ok()?))
}

/// All files and links in a folder, none if there is no folder.
pub(crate) fn walk(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    let mut folders = vec![PathBuf::new()];

    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(root.join(&folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error).context(root.join(folder).display().to_string()),
        };
        for entry in entries {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            match entry.file_type()?.is_dir() {
                _ if entry.file_name() == ".git" => (),
                true => folders.push(path),
                false => {
                    files.insert(path);
                }
            }
        }
    }

    Ok(files)
}

/// Copies a file or link unless the copy is there. Returns whether it was not.
fn copy_if_different(from: &Path, to: &Path, sharing: Sharing, built: bool) -> Result<bool> {
    let source = from.symlink_metadata()?;
    let target = to.symlink_metadata().ok();

    if source.is_symlink() {
        let points_to = fs::read_link(from)?;
        if target.is_some() && fs::read_link(to).is_ok_and(|link| link == points_to) {
            return Ok(false);
        }
        replace(to, |new| symlink(&points_to, new))?;
        return Ok(true);
    }

    if let Some(target) = target.filter(|target| target.is_file()) {
        if same(&source, &target) || fs::read(from)? == fs::read(to)? {
            return Ok(false);
        }
    }
    replace(to, |new| {
        // Where there are no hard links, a copy does.
        if sharing == Sharing::Links && !built && fs::hard_link(from, new).is_ok() {
            return Ok(());
        }
        fs::copy(from, new)?;
        if !built {
            let times = FileTimes::new().set_modified(source.modified()?);
            File::open(new)?.set_times(times)?;
        }
        Ok(())
    })?;
    Ok(true)
}

/// Whether these are the same file, or a copy with its times.
fn same(a: &Metadata, b: &Metadata) -> bool {
    let times = |of: &Metadata| (of.len(), of.mtime(), of.mtime_nsec());
    (a.dev(), a.ino()) == (b.dev(), b.ino()) || times(a) == times(b)
}

/// Replaces a file unless it says this already. Returns whether it did not.
fn replace_if_different(file: &Path, text: &str) -> Result<bool> {
    let old = fs::symlink_metadata(file).ok();
    if old.is_some() && fs::read(file).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(false);
    }

    replace(file, |new| {
        fs::write(new, text)?;
        if let Some(old) = old.as_ref().filter(|old| old.is_file()) {
            fs::set_permissions(new, old.permissions())?;
        }
        Ok(())
    })?;
    Ok(true)
}

/// Makes a new file and then gives it the name of the old one. So a file that has other names too,
/// in the tree that this is a copy of, stays what it is under those.
fn replace(file: &Path, make: impl FnMut(&Path) -> io::Result<()>) -> Result<()> {
    let folder = file.parent().context("a file is in a folder")?;
    fs::create_dir_all(folder)?;
    tempfile::Builder::new()
        .prefix(".new-")
        .make_in(folder, make)
        .and_then(|new| Ok(new.into_temp_path().persist(file)?))
        .with_context(|| file.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;
    use tempfile::TempDir;

    const MAKEFILE: &str = "# SPDX\nVERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\nEXTRAVERSION =\n";

    /// A folder with a small tree in it, and where a copy is to go.
    fn tree() -> (TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let linux = folder.path().join("linux");
        let copy = folder.path().join("copy");
        fs::create_dir_all(linux.join("rust/kernel")).unwrap();
        fs::write(linux.join("Makefile"), MAKEFILE).unwrap();
        fs::write(linux.join("rust/kernel/lib.rs"), "lib").unwrap();
        fs::write(linux.join("rust/kernel/other.rs"), "other").unwrap();
        symlink("kernel", linux.join("rust/link")).unwrap();

        // Files that were written a while ago.
        let times = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH);
        for path in ["Makefile", "rust/kernel/lib.rs", "rust/kernel/other.rs"] {
            let file = File::options().append(true).open(linux.join(path)).unwrap();
            file.set_times(times).unwrap();
        }
        (folder, linux, copy)
    }

    fn modified(file: &Path) -> SystemTime {
        file.metadata().unwrap().modified().unwrap()
    }

    fn read(file: &Path) -> String {
        fs::read_to_string(file).unwrap()
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(version(MAKEFILE), Some(Version(7, 3, 4)));
        assert_eq!(version("VERSION = 7\n"), None);
        assert_eq!(version("all:\n"), None);
        for (text, version) in [
            ("1.95.0 (59807616e 2026-04-14)", Version(1, 95, 0)),
            ("0.72.1", Version(0, 72, 1)),
            ("7.3.4-1~bpo13+1", Version(7, 3, 4)),
            ("7.3", Version(7, 3, 0)),
            ("19.", Version(19, 0, 0)),
        ] {
            assert_eq!(text.parse::<Version>().unwrap(), version);
        }
        assert!("".parse::<Version>().is_err());
        assert!("version 7".parse::<Version>().is_err());
        assert!(Version(7, 10, 0) > MINIMUM && Version(7, 2, 99) < MINIMUM);
    }

    #[test]
    fn old_trees_are_refused() {
        let (_folder, linux, _) = tree();
        fs::write(linux.join("Makefile"), "VERSION = 6\nPATCHLEVEL = 18\n").unwrap();

        let error = Tree::open(&linux).err().unwrap();
        assert!(matches!(error.downcast_ref(), Some(Exit::Usage(_))));
        assert!(error.to_string().contains("Linux 6.18.0"), "{error}");
        assert!(Tree::open(&linux.join("rust")).is_err());
    }

    #[test]
    fn changes_are_seen_and_not_written() {
        let (_folder, linux, _) = tree();
        let mut tree = Tree::open(&linux).unwrap();

        tree.write("rust/kernel/lib.rs", "changed");
        tree.write("rust/kernel/new.rs", "new");
        assert_eq!(tree.read("rust/kernel/lib.rs").unwrap(), "changed");
        assert_eq!(tree.read("rust/kernel/other.rs").unwrap(), "other");
        assert_eq!(tree.read("rust/kernel/new.rs").unwrap(), "new");
        assert!(tree.read("rust/kernel/none.rs").is_err());
        assert_eq!(read(&linux.join("rust/kernel/lib.rs")), "lib");

        let before = tree.clone();
        for (path, text) in [("lib", "changed"), ("new", "newer"), ("other", "other")] {
            tree.write(format!("rust/kernel/{path}.rs"), text);
        }
        let edits: Vec<_> = tree.edits_since(&before).map(|(_, text)| text).collect();
        assert_eq!(edits, ["newer", "other"]);
        let changes = tree.changes().unwrap();
        let changes = changes.iter().map(|it| &*it.new);
        assert_eq!(changes.collect::<Vec<_>>(), ["changed", "newer"]);

        assert_eq!(tree.save().unwrap().len(), 2);
        assert_eq!(read(&linux.join("rust/kernel/lib.rs")), "changed");
        assert!(tree.save().unwrap().is_empty());
    }

    #[test]
    fn a_copy_is_written_only_where_it_differs() {
        for sharing in [Sharing::Links, Sharing::Nothing] {
            let (_folder, linux, copy) = tree();
            let lib = copy.join("rust/kernel/lib.rs");
            let copied = |tree: &Tree, built| tree.copy_to(&copy, sharing, built).unwrap();
            let plain = Tree::open(&linux).unwrap();
            assert_eq!(copied(&plain, false).len(), 4);
            assert_eq!(modified(&lib), SystemTime::UNIX_EPOCH);
            assert_eq!(
                fs::read_link(copy.join("rust/link")).unwrap(),
                Path::new("kernel")
            );

            let mut edited = plain.clone();
            edited.write("rust/kernel/lib.rs", "changed");
            assert_eq!(copied(&edited, true), [Path::new("rust/kernel/lib.rs")]);
            assert_eq!(read(&lib), "changed");
            // The tree does not change.
            assert_eq!(read(&linux.join("rust/kernel/lib.rs")), "lib");
            edited.write("rust/kernel/new.rs", "new");
            assert_eq!(copied(&edited, true), [Path::new("rust/kernel/new.rs")]);
            let built = modified(&lib);
            assert!(copied(&edited, true).is_empty());
            assert_eq!(modified(&lib), built);

            // A file that is no longer changed is as new as the change.
            assert_eq!(copied(&plain, true).len(), 2);
            assert_eq!(read(&lib), "lib");
            assert!(modified(&lib) >= built);
            assert!(!copy.join("rust/kernel/new.rs").exists());
            assert!(copied(&plain, true).is_empty());
        }
    }

    #[test]
    fn what_was_built_is_not_copied() {
        let (_folder, linux, copy) = tree();
        fs::write(linux.join(".config"), "").unwrap();
        fs::write(linux.join(".gitignore"), "/.config\n").unwrap();

        let tree = Tree::open(&linux).unwrap();
        assert!(tree.copy_to(&copy, Sharing::Nothing, false).is_err());

        let git = Command::new("git").arg("init").arg(&linux).output();
        if git.is_ok_and(|output| output.status.success()) {
            tree.copy_to(&copy, Sharing::Nothing, false).unwrap();
            assert!(copy.join("rust/kernel/lib.rs").exists());
            assert!(!copy.join(".config").exists() && !copy.join(".git").exists());

            // All is ignored, and so nothing is: the copy does not become empty.
            fs::write(linux.join(".gitignore"), "/*\n").unwrap();
            assert!(tree.copy_to(&copy, Sharing::Nothing, true).is_err());
            fs::remove_file(linux.join(".config")).unwrap();
            tree.copy_to(&copy, Sharing::Nothing, true).unwrap();
            assert!(copy.join("rust/kernel/lib.rs").exists());
        }
    }
}
