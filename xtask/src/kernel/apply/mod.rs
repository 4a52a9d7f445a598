// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Adds the code to a tree: new files as they are, and edits by item in those that are there.
//!
//! The code is added in steps, which are the patches of a series: see `steps`. An edit is by line
//! (`edit`), or by item (`source`), as in `shmem`, `import`, `edu` and `others`.
//!
//! The steps for lazy fields begin with a tree that has the fixes to what Linux has. A tree without
//! them gets them first, each with its tests (`fixes`).
//!
//! The printed form (`expanded`) has no macro. The annotated object is printed until the step that
//! annotates it. The control gets only the suite of the contract, the files of `kernel/control/`,
//! and the driver that user space uses, by hand (`edu`). The fixed object is the control with two
//! fixes. The suites that measure are added to either, by themselves.
//!
//! Nothing is written unless all steps succeed. A tree that has any of the new files is refused, so
//! that nothing is replaced.

#[cfg(test)]
mod case;
mod count;
mod edit;
mod edu;
mod expanded;
mod fixes;
mod import;
mod imports;
mod others;
mod shmem;
mod source;
mod steps;

use super::{
    flavour::{Flavour, Object},
    tree::{walk, Tree},
};
use crate::{exit::Exit, root};
use anyhow::{bail, Context, Result};
#[cfg(test)]
pub(crate) use count::Count;
pub(crate) use count::Counts;
use edit::Edit;
pub(crate) use fixes::{Fix, Fixes, FIXES};
use source::Source;
pub(crate) use source::{start_of_line, with_comments};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};
use steps::{Step, ANNOTATE, DEVRES, KCONFIG_TEST, SHMEM};

/// A file of the suites that measure: how the object is made.
const CANDIDATE: &str = "rust/kernel/drm/gem/shmem/bench_kunit/candidate.rs";

/// A tree as it is after a step.
pub(crate) struct Stage {
    pub(crate) step: &'static str,
    pub(crate) tree: Tree,
    /// The same with all objects annotated, also where `tree` has them printed.
    annotated: Tree,
}

/// Adds the code to the tree in this folder, and says how much of it there is.
pub(crate) fn to_folder(linux: &Path, object: Object) -> Result<()> {
    let (changed, counts) = add(linux, object)?;
    for path in &changed {
        println!("{}", path.display());
    }
    println!("{} files changed\n", changed.len());
    let (form, count) = match object {
        Object::Expanded => ("printed", counts.printed),
        _ => ("annotated", counts.annotated),
    };
    println!("{SHMEM:30} lines of code  `unsafe`");
    for (what, count) in [("by hand", counts.by_hand), (form, count)] {
        println!("  {what:28} {:13}  {:8}", count.lines, count.unsafes);
    }
    Ok(())
}

/// Adds the code to the tree in this folder. Returns the files that have changed.
pub(crate) fn add(linux: &Path, object: Object) -> Result<(Vec<PathBuf>, Counts)> {
    let tree = Tree::open(linux)?;
    let stages = run_steps(&base(&tree, object)?, object, object == Object::Expanded)?;
    let counts = count(&tree, &stages)?;

    Ok((last(&stages)?.save()?, counts))
}

/// The files of a tree that are edited for the annotated object, but for C code that is fixed.
pub(crate) fn edited() -> BTreeSet<&'static str> {
    let fixes = FIXES.iter().flat_map(Fix::edits);
    let fixes = fixes.filter(|(path, _)| path.ends_with(".rs"));
    let steps = steps::of(Object::Annotated);
    let edits = steps.iter().flat_map(|step| step.edits);
    edits
        // Files that a step before has added.
        .filter(|(_, edit)| !matches!(edit, Edit::Text(_)))
        .chain(fixes)
        .map(|(path, _)| *path)
        .chain([DEVRES, SHMEM])
        .collect()
}

/// Makes the edits of a single file, which is one of [`edited()`]. Returns its text.
pub(crate) fn edit_one(tree: &Tree, path: &str) -> Result<String> {
    let mut tree = tree.clone();
    for (_, with) in FIXES
        .iter()
        .flat_map(Fix::edits)
        .filter(|(it, _)| *it == path)
    {
        edit(&mut tree, path, |text| with.apply(text))?;
    }
    for step in steps::of(Object::Annotated) {
        if path == DEVRES || path == SHMEM {
            declare(&mut tree, path, &step.new_files()?)?;
        }
        for (_, with) in step.edits.iter().filter(|(it, _)| *it == path) {
            edit(&mut tree, path, |text| with.apply(text))?;
        }
    }
    tree.read(path)
}

/// Adds the code of a kernel to a tree.
pub(crate) fn run(tree: &mut Tree, flavour: &Flavour) -> Result<()> {
    let Flavour { object, until, .. } = *flavour;
    // The printed form of an annotated object is in no tree after all steps.
    let is_printed = object == Object::Expanded || (object.is_lazy() && until.is_some());
    let mut stages = run_steps(&base(tree, object)?, object, is_printed)?;
    if let Some(until) = until {
        let step = stages.iter().position(|stage| stage.step == until);
        stages.truncate(step.context("there is no such step")? + 1);
    }
    *tree = last(&stages)?.clone();

    if let Some(candidate) = flavour.bench {
        let candidate = format!("kernel/bench/candidates/{candidate}.rs");
        tree.write(CANDIDATE, read(&root().join(candidate))?);
        steps::BENCH.run(tree)?;
    }
    Ok(())
}

/// Whether a tree with no more than this step and those before it has the option of the suites.
pub(crate) fn has_suites(object: Object, until: Option<&str>) -> bool {
    let steps = steps::of(object);
    let last = steps.iter().position(|step| Some(step.name) == until);
    let steps = &steps[..last.map_or(steps.len(), |last| last + 1)];

    let mut edits = steps.iter().flat_map(|step| step.edits);
    edits.any(|(path, _)| *path == KCONFIG_TEST)
}

/// The tree after all stages.
fn last(stages: &[Stage]) -> Result<&Tree> {
    let stage = stages.last().context("there are no steps")?;
    Ok(&stage.tree)
}

/// The tree that the steps for an object begin with.
pub(crate) fn base(tree: &Tree, object: Object) -> Result<Tree> {
    // Before the first edit, which would not find what it expects.
    for path in walk(&root().join("kernel/tree"))? {
        ensure_new(tree, &path)?;
    }
    let mut tree = tree.clone();
    if object.is_lazy() {
        for fix in &FIXES {
            fix.ensure(&mut tree)?;
        }
    }
    Ok(tree)
}

/// Adds the code to a tree as [`base()`] returns it, step by step. Returns what it is after each.
pub(crate) fn stages(tree: &Tree, object: Object) -> Result<Vec<Stage>> {
    run_steps(tree, object, object.is_lazy())
}

/// The same. Without `is_printed`, objects are annotated also before the step that annotates them.
fn run_steps(tree: &Tree, object: Object, mut is_printed: bool) -> Result<Vec<Stage>> {
    let mut annotated = tree.clone();
    let mut printed = tree.clone();
    let mut stages = Vec::new();
    for step in steps::of(object) {
        let before = annotated.clone();
        step.run(&mut annotated)?;
        is_printed &= step.name != ANNOTATE.name;
        if is_printed {
            expanded::print(&annotated, &before, &mut printed)?;
        } else {
            printed = annotated.clone();
        }
        stages.push(Stage {
            step: step.name,
            tree: printed.clone(),
            annotated: annotated.clone(),
        });
    }

    Ok(stages)
}

/// How much code there is in the object of this tree, and in the converted one.
pub(crate) fn count(tree: &Tree, stages: &[Stage]) -> Result<Counts> {
    let step = steps::SG_TABLE.name;
    let converted = stages.iter().find(|stage| stage.step == step);
    let converted = converted.with_context(|| format!("there is no step `{step}`"))?;
    let code = |tree: &Tree| count::code(&tree.read(SHMEM)?);

    Ok(Counts {
        by_hand: code(tree)?,
        printed: code(&converted.tree)?,
        annotated: code(&converted.annotated)?,
    })
}

impl Step {
    fn run(&self, tree: &mut Tree) -> Result<()> {
        let new = self.add_files(tree)?;
        for parent in [DEVRES, SHMEM] {
            declare(tree, parent, &new)?;
        }
        for (path, with) in self.edits {
            edit(tree, path, |text| with.apply(text))?;
        }
        Ok(())
    }

    /// Adds its files, and returns which these are.
    fn add_files(&self, tree: &mut Tree) -> Result<Vec<(PathBuf, PathBuf)>> {
        let new = self.new_files()?;
        for (path, ours) in &new {
            ensure_new(tree, path)?;
            tree.write(path, read(ours)?);
        }
        Ok(new)
    }

    /// The files that it adds: each path in the tree, and the file of ours that comes there.
    fn new_files(&self) -> Result<Vec<(PathBuf, PathBuf)>> {
        let mut new = Vec::new();
        for files in self.files {
            let folder = root().join(files.from);
            let names = walk(&folder)?.into_iter();
            let wanted = names.filter(|name| (files.wanted)(&name.to_string_lossy()));
            new.extend(wanted.map(|name| (Path::new(files.to).join(&name), folder.join(name))));
        }
        Ok(new)
    }
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| file.display().to_string())
}

/// Refuses a tree that has this file, which is one of ours.
fn ensure_new(tree: &Tree, path: &Path) -> Result<()> {
    if tree.has(path) {
        bail!(Exit::Usage(format!(
            "this tree has the code already: {} is there. Take it out first, or begin with a tree \
             without it",
            path.display()
        )));
    }
    Ok(())
}

/// Edits a file of the tree.
fn edit(tree: &mut Tree, path: &str, with: impl FnOnce(&str) -> Result<String>) -> Result<()> {
    let text = tree.read(path).and_then(|text| with(&text));
    let text = text.with_context(|| {
        format!("{path} is not what is expected: is this tree older or newer than 7.3?")
    })?;
    tree.write(path, text);
    Ok(())
}

/// Declares those of these new files as modules of a file that are beside it.
fn declare(tree: &mut Tree, parent: &str, new: &[(PathBuf, PathBuf)]) -> Result<()> {
    let folder = Path::new(parent).with_extension("");
    let new = new.iter().map(|(file, _)| file);
    let new = new.filter(|file| file.parent() == Some(&folder));
    let names = new.filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned()));
    let names: BTreeSet<_> = names.collect();
    if names.is_empty() {
        return Ok(());
    }

    edit(tree, parent, |text| {
        let mut source = Source::parse(text)?;
        let new = names.into_iter().map(|name| {
            let declaration = declaration(&folder, &name);
            (name, declaration)
        });
        others::declare_all(&mut source, &new.collect::<Vec<_>>())?;
        Ok(source.text().to_owned())
    })
}

/// How a module is declared. Suites have an option.
fn declaration(folder: &Path, name: &str) -> String {
    let with = match name {
        "bar_kunit" | "kunit_pci" => "#[cfg(all(CONFIG_RUST_DEVRES_KUNIT_TEST, CONFIG_PCI))]\n",
        _ if name.contains("kunit") => "#[cfg(CONFIG_RUST_DEVRES_KUNIT_TEST)]\n",
        _ => "",
    };
    let public = match name {
        "crates_kunit" => "#[doc(hidden)]\npub ",
        "kunit_lockdep" | "kunit_skip" | "kunit_support" => "pub(crate) ",
        "stress_kunit" if folder.ends_with("devres") => "pub(crate) ",
        _ => "",
    };
    format!("{with}{public}mod {name};\n")
}

/// The names of the steps.
#[cfg(test)]
pub(crate) fn step_names(object: Object) -> Vec<&'static str> {
    steps::of(object).iter().map(|step| step.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    /// A tree with these files, which have no items, and nothing else.
    fn tree(files: &[&str]) -> (TempDir, Tree) {
        let folder = tempfile::tempdir().unwrap();
        for file in files.iter().chain(&["Makefile"]) {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "VERSION = 7\nPATCHLEVEL = 3\n").unwrap();
        }
        let tree = Tree::open(folder.path()).unwrap();
        (folder, tree)
    }

    #[test]
    fn no_file_is_left_behind() {
        let steps = steps::of(Object::Annotated);
        let files = || steps.iter().flat_map(|step| step.files);
        for from in files().map(|files| files.from) {
            for name in walk(&root().join(from)).unwrap() {
                let name = name.to_str().unwrap();
                let wanted = files().filter(|files| files.from == from && (files.wanted)(name));
                // The host's library has more than suites.
                let expected = usize::from(!from.starts_with("runtime") || name.contains("kunit"));
                let is_slot = from == "runtime/src/protocol" && name != "mod.rs";
                assert_eq!(
                    wanted.count(),
                    expected.max(usize::from(is_slot)),
                    "the steps that add {from}/{name}"
                );
            }
        }
    }

    /// The program of user space includes all of them, whatever it runs.
    #[test]
    fn all_trees_of_user_space_have_its_headers() {
        let ours = root().join("kernel/tree");
        let headers = walk(&ours.join("include/uapi")).unwrap();
        assert!(!headers.is_empty());
        for object in [Object::ByHand, Object::Fixed, Object::Leaking] {
            let steps = steps::of(object);
            for header in &headers {
                let name = format!("include/uapi/{}", header.display());
                let mut files = steps.iter().flat_map(|step| step.files);
                let is_added = files.any(|it| it.from == "kernel/tree" && (it.wanted)(&name));
                assert!(is_added, "{name}{}", object.suffix());
            }
        }
    }

    #[test]
    fn a_tree_that_has_the_code_is_refused() {
        for file in [
            "rust/kernel/devres/lazy.rs",
            "rust/macros/devres_lazy/model.rs",
            "samples/rust/rust_drm_edu.rs",
        ] {
            let (_folder, mut tree) = tree(&[file]);
            let steps = steps::of(Object::Annotated);
            let mut added = steps.iter().map(|step| step.add_files(&mut tree));
            let error = added.find_map(Result::err).unwrap();

            assert!(
                matches!(error.downcast_ref(), Some(Exit::Usage(_))),
                "{error}"
            );
            let expected = format!("this tree has the code already: {file} is there");
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
        // Before the first edit.
        let (_folder, tree) = tree(&["rust/kernel/devres/sys.rs"]);
        assert!(base(&tree, Object::Annotated).err().unwrap().is::<Exit>());
    }

    #[test]
    fn a_tree_with_other_items_is_told_from_it() {
        let (_folder, tree) = tree(&["rust/kernel/i2c.rs"]);
        let error = base(&tree, Object::Annotated).err().unwrap();

        assert!(!error.is::<Exit>(), "{error}");
        assert!(
            error.to_string().contains("older or newer than 7.3"),
            "{error}"
        );
    }
}
