// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask kernel neighbours`: what `apply` does to a tree that differs from Linux 7.3 around
//! the items that it edits.
//!
//! A copy of the files of a tree is shaken (`shake`): fields, comments, imports and items are added
//! and moved. `apply` has to make the same edits as before, which is compared part by part
//! (`parts`). Then each item is renamed, removed and repeated (`hostile`). `apply` has to refuse
//! those that it needs, by an error that names file and item, and to leave all others as they are.

mod hostile;
mod parts;
mod shake;

use super::{
    apply,
    cache::Cache,
    flavour::Object,
    linux,
    tree::{walk, Tree},
};
use anyhow::{ensure, Context, Result};
use hostile::{Target, Way};
use shake::{Shake, ALL, TOGETHER};
use std::{
    collections::BTreeMap,
    fs,
    num::NonZero,
    panic,
    path::{Path, PathBuf},
    thread,
};

/// The parts of a tree that `apply` reads.
const PARTS: [&str; 12] = [
    "Makefile",
    "drivers/base/base.h",
    "drivers/base/devres.c",
    "drivers/base/test/Makefile",
    "drivers/gpu/drm/Kconfig",
    "include/uapi/drm",
    "rust/bindings",
    "rust/helpers",
    "rust/kernel",
    "rust/macros",
    "rust/uapi",
    "samples/rust",
];

/// Harmless shakes that are refused: the name, a part of the error, and the reason.
const REFUSED: [(&str, &str, &str); 2] = [
    (
        "narrow lines",
        "`impl TryFrom for I2cClient`",
        "the line is found as the tree's own rustfmt writes it",
    ),
    (
        "wide lines",
        "`Bar::new`",
        "the parameters are found as the tree's own rustfmt writes them",
    ),
];

/// Parts, by file, that stand in front of a field that has to be the last one. Without the part, the
/// field stands behind another one.
const IN_FRONT_OF_THE_LAST: [(&str, &str); 1] = [("rust/kernel/drm/gem/mod.rs", "_ctx")];

/// The contents of files, by name.
type Files = BTreeMap<PathBuf, String>;

/// A tree, and its parts as they are.
struct Neighbour {
    tree: Tree,
    pristine: Files,
}

/// Runs all changes over both trees.
pub(crate) fn run() -> Result<()> {
    let cache = Cache::open()?;
    let release = linux::get(&cache)?;
    // Without it, the other tree is still looked at, and the command is skipped in the end.
    let candidate = linux::candidate(&cache, &PARTS);

    let mut trees = vec![release];
    trees.extend(candidate.as_ref().ok().cloned());
    let mut faults = 0;
    for tree in &trees {
        let neighbour = Neighbour {
            tree: Tree::open(tree)?,
            pristine: read(tree)?,
        };
        println!(
            "\n{}",
            tree.file_name().unwrap_or_default().to_string_lossy()
        );
        faults += neighbour.shake()? + neighbour.break_items()?;
    }
    ensure!(faults == 0, "{faults} faults, see above");
    candidate.map(|_| ())
}

/// Reads the parts of a tree.
fn read(tree: &Path) -> Result<Files> {
    let names = walk(tree)?.into_iter();
    let names = names.filter(|name| PARTS.iter().any(|part| name.starts_with(part)));
    let read = |name: PathBuf| {
        let text = fs::read_to_string(tree.join(&name));
        Ok((
            name.clone(),
            text.with_context(|| name.display().to_string())?,
        ))
    };
    names.map(read).collect()
}

/// Adds the code to a tree that has these files. Returns what they are then.
///
/// # Errors
///
/// The error of `apply`, in one line.
fn apply(files: &Files, object: Object) -> Result<Result<Files, String>> {
    let tree = tempfile::tempdir()?;
    for (name, text) in files {
        let file = tree.path().join(name);
        fs::create_dir_all(file.parent().context("a file is in a folder")?)?;
        fs::write(file, text)?;
    }
    let added = apply::add(tree.path(), object);
    let after = read(tree.path())?;
    let Err(error) = added else {
        return Ok(Ok(after));
    };
    ensure!(after == *files, "refused, and yet something was written");
    let words = format!("{error:#}");
    let words: Vec<_> = words.split_whitespace().collect();
    Ok(Err(words.join(" ")))
}

impl Neighbour {
    /// Shakes all files that are edited, in each way, for each object. Returns how many faults it
    /// has found.
    fn shake(&self) -> Result<usize> {
        let mut faults = 0;
        for object in [Object::Annotated, Object::Expanded] {
            let expected = apply(&self.pristine, object)?;
            let form = match object {
                Object::Expanded => "printed",
                _ => "annotated",
            };
            let expected = match expected {
                Ok(expected) => expected,
                Err(error) => {
                    println!("  {form:10} {:24} {error}", "as it is");
                    faults += 1;
                    continue;
                }
            };
            // The other forms differ by little.
            let all = ALL.iter().filter(|_| object == Object::Annotated);
            for shake in all.chain([&TOGETHER]) {
                let (outcome, is_fault) = self.shaken(shake, object, &expected)?;
                let mark = if is_fault { "  FAULT" } else { "" };
                println!("  {form:10} {:24} {outcome}{mark}", shake.name);
                faults += usize::from(is_fault);
            }
        }
        Ok(faults)
    }

    /// Returns the outcome of a shake, and whether it is a fault.
    fn shaken(&self, shake: &Shake, object: Object, expected: &Files) -> Result<(String, bool)> {
        let mut files = self.pristine.clone();
        let mut changed = 0;
        for path in apply::edited() {
            let text = &self.pristine[Path::new(path)];
            let new = (shake.change)(path, text).with_context(|| path.to_owned())?;
            changed += usize::from(new != *text);
            files.insert(path.into(), new);
        }

        let edited = match apply(&files, object)? {
            Ok(edited) => edited,
            Err(error) => {
                let known = REFUSED
                    .iter()
                    .find(|(name, says, _)| *name == shake.name && error.contains(says));
                return Ok(match known {
                    Some((_, _, reason)) => (format!("{error} ({reason})"), false),
                    None => (error, true),
                });
            }
        };
        for (name, expected) in expected {
            let path = name.to_string_lossy();
            let text = edited.get(name).map_or("", String::as_str);
            if !shake.has_same_edits(&path, text, expected)? {
                return Ok((format!("{path}: another edit"), true));
            }
        }
        Ok((format!("applied, {changed} files shaken"), false))
    }

    /// Renames, removes and repeats each target in each file that is edited. Returns how many faults
    /// it has found.
    fn break_items(&self) -> Result<usize> {
        let mut faults = 0;
        for path in apply::edited() {
            let text = &self.pristine[Path::new(path)];
            let Ok(expected) = apply::edit_one(&self.tree, path) else {
                continue;
            };
            let mut counts = BTreeMap::new();
            let mut first = None;
            let targets = hostile::targets(path, text)?;
            for Broken {
                way,
                text,
                outcome,
                fault,
            } in in_parallel(&targets, |target| {
                self.broken(path, text, &expected, target)
            }) {
                *counts.entry((way.name(), outcome)).or_insert(0) += 1;
                if let Some(fault) = fault {
                    faults += 1;
                    println!("  {path}: {fault}  FAULT");
                }
                if outcome == REFUSED_CHANGE {
                    first.get_or_insert(text);
                }
            }
            let counts = counts
                .iter()
                .map(|((way, outcome), count)| format!("{count} {way} {outcome}"));
            println!("  {path:32} {}", counts.collect::<Vec<_>>().join(", "));

            // The command itself: it writes nothing. An edit that only adds needs no item.
            let Some(first) = first else {
                continue;
            };
            let mut files = self.pristine.clone();
            files.insert(path.into(), first);
            ensure!(
                apply(&files, Object::Annotated)?.is_err(),
                "{path} is not refused"
            );
        }
        Ok(faults)
    }

    /// Makes all changes of a target that leave a file which can be parsed.
    fn broken(&self, path: &str, text: &str, expected: &str, target: &Target) -> Vec<Broken> {
        let mut all: Vec<Broken> = Vec::new();
        for (target, way) in target.changes() {
            // A name that nothing looks for may also be missing.
            let is_needed = all.iter().any(|it| it.outcome == REFUSED_CHANGE);
            if !is_needed && way != Way::Renamed {
                break;
            }
            let changed = target.change(text, way);
            if path.ends_with(".rs") && syn::parse_file(&changed).is_err() {
                continue;
            }
            let mut tree = self.tree.clone();
            tree.write(path, changed.clone());
            let (outcome, fault) = match apply::edit_one(&tree, path) {
                Ok(edited) if target.has_same_edits(text, way, &edited, expected) => {
                    ("unaffected", None)
                }
                Ok(_) if IN_FRONT_OF_THE_LAST.contains(&(path, &target.name)) => ("applied", None),
                Ok(_) => ("applied", Some("applied, by another edit".to_owned())),
                Err(error) => {
                    let error = format!("{error:#}");
                    let is_named = error.contains(path) && error.contains(&target.name);
                    (REFUSED_CHANGE, (!is_named).then_some(error))
                }
            };
            all.push(Broken {
                way,
                text: changed,
                outcome,
                fault: fault.map(|it| format!("`{}` {}: {it}", target.name, way.name())),
            });
        }
        all
    }
}

/// A file with a hostile change, and what comes of it.
struct Broken {
    way: Way,
    text: String,
    outcome: &'static str,
    fault: Option<String>,
}

/// The outcome of a change that `apply` refuses.
const REFUSED_CHANGE: &str = "refused";

/// Returns the results for all items, in order. Each has a thread of its own, which takes the spans
/// of what it has parsed with it.
fn in_parallel<T: Sync, R: Send>(items: &[T], with: impl Fn(&T) -> Vec<R> + Sync) -> Vec<R> {
    let cpus = thread::available_parallelism().map_or(1, NonZero::get);
    let batches = items.chunks(cpus).map(|batch| {
        thread::scope(|scope| {
            let threads = batch.iter().map(|item| scope.spawn(|| with(item)));
            let threads: Vec<_> = threads.collect();
            let results = threads.into_iter().map(|thread| match thread.join() {
                Ok(results) => results,
                Err(panic) => panic::resume_unwind(panic),
            });
            results.flatten().collect::<Vec<_>>()
        })
    });
    batches.flatten().collect()
}
