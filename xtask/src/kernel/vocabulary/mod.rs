// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask kernel vocabulary`: compares names and signatures of the host's library with
//! those of a Linux tree.
//!
//! A file of the host names the files that it stands for in its module comment, as
//! `rust/kernel/..`. Each of its public items is looked up there. `docs/host.md` lists differences,
//! with the reasons of `reasons`.

mod items;
mod reasons;
mod signature;

use super::{
    cache::Cache,
    linux,
    tree::{walk, Tree},
};
use crate::{
    exit::Exit,
    report::{page, table},
    root,
};
use anyhow::{ensure, Context, Error, Result};
use items::{Item, Which};
use reasons::REASONS;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The page with the list, and its part that this writes.
const PAGE: &str = "docs/host.md";
const PART: &str = "vocabulary";

const HOST: &str = "runtime/src/host";

/// Where the kernel crate is in a tree.
const KERNEL: &str = "rust/kernel";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Compare with this tree instead of the one in the cache.
    #[arg(long, value_name = "DIR")]
    linux: Option<PathBuf>,

    /// Write docs/host.md instead of comparing with it.
    #[arg(long)]
    bless: bool,
}

/// Compares, and fails if the page is not up to date or a difference has no reason.
pub(crate) fn run(options: &Options) -> Result<()> {
    let path = match &options.linux {
        Some(path) => path.clone(),
        None => linux::here(&Cache::open()?)?.ok_or_else(|| {
            Error::new(Exit::Skipped(
                "there is no kernel tree in the cache: `cargo xtask kernel test` gets one, and \
                 `--linux DIR` names another one"
                    .into(),
            ))
        })?,
    };
    let tree = Tree::open(&std::path::absolute(path)?)?;

    let host = read(&root().join(HOST), Which::Documented)?;
    let kernel = read(&tree.root().join(KERNEL), Which::All)?;
    let (same, different, host_only) = compare(&host, &kernel);
    ensure_reasons(different.iter().chain(&host_only))?;
    println!(
        "{same} items are the same, {} differ, {} are on the host only",
        different.len(),
        host_only.len()
    );

    let linux = format!("Linux {}", tree.version());
    let different = table(&["item", "host", &linux, "reason"], &different);
    let host_only = table(&["item", "host", "reason"], &host_only);
    let text = format!(
        "{same} items are the same in {linux}.\n\n\
         ## Signatures that differ\n\n{different}\n\
         ## On the host only\n\n{host_only}"
    );
    let path = root().join(PAGE);
    if options.bless {
        page::write(&path, &[(PART, text)])?;
    } else {
        let part = format!("-->\n\n{text}\n<!-- end {PART} -->");
        ensure!(
            fs::read_to_string(&path)?.contains(&part),
            "{PAGE} is not up to date: run `cargo xtask kernel vocabulary --bless`"
        );
    }
    Ok(())
}

/// The items of one file, and the files that it stands for.
struct File {
    stands_for: Vec<String>,
    items: Vec<Item>,
}

type Files = BTreeMap<PathBuf, File>;

/// Reads all Rust files below a folder, by their paths in it.
fn read(folder: &Path, which: Which) -> Result<Files> {
    let mut files = Files::new();

    for path in walk(folder)? {
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(folder.join(&path))?;
        let file = syn::parse_file(&text).with_context(|| format!("in {}", path.display()))?;
        files.insert(
            path,
            File {
                stands_for: items::stands_for(&file),
                items: items::public(&file, which),
            },
        );
    }
    Ok(files)
}

/// An item of the host that is not as in the tree.
struct Difference<'a> {
    item: &'a Item,
    /// The signatures of the tree; none if it has no such item.
    kernel: BTreeSet<&'a str>,
}

/// Fails if a difference has no reason, or a reason has no difference.
fn ensure_reasons<'a>(differences: impl Iterator<Item = &'a Difference<'a>>) -> Result<()> {
    let places: Vec<_> = differences.map(|it| &*it.item.place).collect();
    let without = places.iter().filter(|place| reasons::of(place).is_none());
    let without = BTreeSet::from_iter(without);
    ensure!(without.is_empty(), "no reason is given for: {without:?}");
    let items = REASONS.iter().map(|(item, _)| item);
    let is_stale = |item: &&&str| !places.iter().any(|it| reasons::matches(item, it));
    let stale: Vec<_> = items.filter(is_stale).collect();
    ensure!(
        stale.is_empty(),
        "there is no such difference any more: {stale:?}"
    );
    Ok(())
}

/// Looks each public item of the host up in the files that its file stands for, and in `lib.rs`.
/// Returns how many are the same, those that differ, and those that the tree has not.
fn compare<'a>(
    host: &'a Files,
    kernel: &'a Files,
) -> (usize, Vec<Difference<'a>>, Vec<Difference<'a>>) {
    let mut same = 0;
    let mut differences = Vec::new();
    for file in host.values().filter(|file| !file.stands_for.is_empty()) {
        // A folder stands for the files below it.
        let of = |path: &Path| file.stands_for.iter().any(|of| path.starts_with(of));
        let is_theirs = |path: &Path| path == Path::new("lib.rs") || of(path);
        let theirs = kernel.iter().filter(|(path, _)| is_theirs(path));
        let theirs: Vec<&Item> = theirs.flat_map(|(_, file)| &file.items).collect();
        for item in &file.items {
            let named = theirs.iter().filter(|other| other.place == item.place);
            let kernel: BTreeSet<_> = named.map(|other| other.signature.as_str()).collect();
            match kernel.contains(item.signature.as_str()) {
                true => same += 1,
                false => differences.push(Difference { item, kernel }),
            }
        }
    }

    // Items of no type come first.
    differences.sort_by_key(|it| {
        let place = it.item.place.as_str();
        place.split_once("::").unwrap_or(("", place))
    });
    let (host_only, different) = differences.into_iter().partition(|it| it.kernel.is_empty());
    (same, different, host_only)
}

/// A table of differences. Without signatures of the tree, their column is left out.
fn table(header: &[&str], differences: &[Difference<'_>]) -> String {
    let rows = differences.iter().map(|Difference { item, kernel }| {
        let kernel: Vec<_> = kernel.iter().map(|text| code(text)).collect();
        let kernel = (!kernel.is_empty()).then(|| kernel.join(", or "));
        let cells = [code(&item.place), code(&item.signature)].into_iter();
        let reason = reasons::of(&item.place).unwrap_or("not known");
        cells.chain(kernel).chain([reason.to_owned()]).collect()
    });
    let header = table::cells(header.iter().copied());
    table::text(&[header].into_iter().chain(rows).collect::<Vec<_>>())
}

/// Returns code for a cell of a table.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(stands_for: &[&str], text: &str) -> File {
        let file = syn::parse_file(text).unwrap();
        File {
            stands_for: stands_for.iter().map(|of| (*of).to_owned()).collect(),
            items: items::public(&file, Which::All),
        }
    }

    #[test]
    fn items_are_looked_up_where_their_file_stands_for() {
        let host = "
            impl<T> Pair<T> {
                pub fn first(&self) -> crate::error::Result<&T> { todo!() }
                pub fn second(&self) -> T { todo!() }
                pub fn third(&self) {}
            }
            pub struct Pair<T>(T);
        ";
        let kernel = "
            pub struct Pair<T>(T);
            impl<T> Pair<T> {
                pub fn first<'a>(&'a self) -> Result<&'a T> { todo!() }
                pub fn second(&mut self) -> T { todo!() }
                pub(crate) fn third(&self) {}
            }
        ";
        let host = BTreeMap::from([("pair.rs".into(), file(&["sync/pair.rs"], host))]);
        let found = |name: &str| {
            let kernel = BTreeMap::from([(name.into(), file(&[], kernel))]);
            let (same, different, host_only) = compare(&host, &kernel);
            let places = |of: &[Difference<'_>]| -> Vec<_> {
                of.iter().map(|it| it.item.place.clone()).collect()
            };
            (same, places(&different), places(&host_only))
        };

        let (same, different, host_only) = found("sync/pair.rs");
        assert_eq!(same, 2);
        assert_eq!(different, ["Pair::second()"]);
        assert_eq!(host_only, ["Pair::third()"]);
        assert_eq!(found("pair.rs").2.len(), 4);
        assert_eq!(found("sync/other.rs").2.len(), 4);
        assert_eq!(found("sync/pair.rs/inner.rs").0, 2, "it is below a folder");
    }
}
