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
use crate::{exit::Exit, root};
use anyhow::{bail, ensure, Context, Error, Result};
use items::{Item, Which};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The page with the list.
const PAGE: &str = "docs/host.md";

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
    let report = compare(&host, &kernel);
    report.ensure_reasons()?;
    let page = page(&report, &tree.version().to_string());

    let path = root().join(PAGE);
    if options.bless {
        fs::write(&path, page)?;
    } else if fs::read_to_string(&path).unwrap_or_default() != page {
        bail!("{PAGE} is not up to date: run `cargo xtask kernel vocabulary --bless`");
    }

    println!(
        "{} items are the same, {} differ, {} are on the host only",
        report.same,
        report.different.len(),
        report.host_only.len()
    );
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

/// The result of a comparison.
struct Report<'a> {
    same: usize,
    /// The items of which the tree has others.
    different: Vec<Difference<'a>>,
    /// The items that the tree has not.
    host_only: Vec<Difference<'a>>,
}

impl Report<'_> {
    /// Fails if a difference has no reason, or a reason has no difference.
    fn ensure_reasons(&self) -> Result<()> {
        let differences = self.different.iter().chain(&self.host_only);
        let places: Vec<_> = differences.map(|it| it.item.place.as_str()).collect();
        let without = places.iter().filter(|place| reasons::of(place).is_none());
        let without = BTreeSet::from_iter(without);
        ensure!(without.is_empty(), "no reason is given for: {without:?}");
        let is_stale = |reason: &&str| !places.iter().any(|it| reasons::matches(reason, it));
        let stale: Vec<_> = reasons::all().filter(is_stale).collect();
        ensure!(
            stale.is_empty(),
            "there is no such difference any more: {stale:?}"
        );
        Ok(())
    }
}

/// Looks each public item of the host up in the files that its file stands for, and in `lib.rs`.
fn compare<'a>(host: &'a Files, kernel: &'a Files) -> Report<'a> {
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
    Report {
        same,
        different,
        host_only,
    }
}

fn page(report: &Report<'_>, version: &str) -> String {
    let mut page = format!(
        "<!-- SPDX-License-Identifier: Apache-2.0 OR MIT -->\n\
         # The host's vocabulary and Linux {version}\n\
         \n\
         `cargo xtask kernel vocabulary --bless` writes this page. It compares the public items of\n\
         `runtime/src/host/` with the files of `rust/kernel/` that they stand for, by name and by\n\
         signature. {} items are the same. Lifetimes, paths, names of parameters, and where a bound\n\
         is written do not count. The type parameters of a function are called `G1`, `G2` and so on.\n\
         \n\
         ## Signatures that differ\n\
         \n\
         | item | host | Linux {version} | reason |\n\
         |---|---|---|---|\n",
        report.same
    );
    let row = |it: &Difference<'_>, kernel: Option<String>| {
        let reason = reasons::of(&it.item.place)
            .unwrap_or("not known")
            .to_owned();
        let cells = [code(&it.item.place), code(&it.item.signature)].into_iter();
        let cells: Vec<_> = cells.chain(kernel).chain([reason]).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    for it in &report.different {
        let kernel: Vec<_> = it.kernel.iter().map(|text| code(text)).collect();
        page += &row(it, Some(kernel.join(", or ")));
    }

    page.push_str(
        "\n## On the host only\n\
         \n\
         | item | host | reason |\n\
         |---|---|---|\n",
    );
    for it in &report.host_only {
        page += &row(it, None);
    }
    page
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
            let report = compare(&host, &kernel);
            let places = |of: &[Difference<'_>]| -> Vec<_> {
                of.iter().map(|it| it.item.place.clone()).collect()
            };
            let (different, host_only) = (places(&report.different), places(&report.host_only));
            (report.same, different, host_only)
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
