// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The kernel's source, if nobody names a tree.

use super::{
    apt,
    cache::Cache,
    job,
    progress::spinner,
    tree::{Tree, Version, MINIMUM},
};
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Debian's package of it.
pub(crate) const PACKAGE: &str = "linux-source-7.3";

/// The part of a version that says that it is a release candidate.
const CANDIDATE: &str = "~rc";

/// The message if there is no source.
const INSTEAD: &str = "the kernel's source cannot be had (`--linux DIR` names a tree to test in)";

/// The most space that downloading and unpacking take, in mebibytes.
const SPACE: u64 = 2300;

/// The tree in the cache, if there is one.
pub(crate) fn here(cache: &Cache) -> Result<Option<PathBuf>> {
    let newest = cache
        .names("")?
        .into_iter()
        .filter_map(|name| {
            let version: Version = name.strip_prefix("linux-")?.parse().ok()?;
            Some((version, name))
        })
        .filter(|(version, _)| *version >= MINIMUM)
        .max();

    Ok(newest.map(|(_, name)| cache.path(&name)))
}

/// The tree in the cache, which is downloaded if need be.
pub(crate) fn get(cache: &Cache) -> Result<PathBuf> {
    let _lock = cache.lock_downloads()?;
    if let Some(tree) = here(cache)? {
        return Ok(tree);
    }
    cache.ensure_space(SPACE, "the kernel's source")?;

    let is_release = |version: &str| !version.contains(CANDIDATE);
    apt::get(cache, &[apt::SUITE], PACKAGE, is_release, |folder, _| {
        let tree = unpack(cache, folder, &[])?;
        let version = Tree::open(&tree)?.version();
        Ok((tree, cache.path(&format!("linux-{version}"))))
    })
    .context(INSTEAD)
}

/// The parts of a release candidate in the cache, which are downloaded if need be.
pub(crate) fn candidate(cache: &Cache, parts: &[&str]) -> Result<PathBuf> {
    let _lock = cache.lock_downloads()?;
    let names = cache.names("")?.into_iter();
    let names = names.filter(|name| name.starts_with("candidate-"));
    if let Some(tree) = names.max().map(|name| cache.path(&name)) {
        if parts.iter().all(|part| tree.join(part).exists()) {
            return Ok(tree);
        }
        // It was unpacked for other parts.
        fs::remove_dir_all(tree)?;
    }
    cache.ensure_space(SPACE, "the source of a release candidate")?;

    let is_candidate = |version: &str| version.contains(CANDIDATE);
    let find = |folder: &Path, version: &str| {
        let version = version.split('-').next().unwrap_or(version);
        let name = format!("candidate-{}", version.replace('~', "-"));
        Ok((unpack(cache, folder, parts)?, cache.path(&name)))
    };
    apt::get(cache, &[apt::NEWEST], PACKAGE, is_candidate, find)
}

/// Unpacks these parts of the source in a package, or all of it. Returns the tree.
fn unpack(cache: &Cache, package: &Path, parts: &[&str]) -> Result<PathBuf> {
    let mut tar = Command::new("tar");
    tar.arg("--extract")
        .arg("--file")
        .arg(package.join(format!("usr/src/{PACKAGE}.tar.xz")))
        .arg("--directory")
        .arg(package)
        .args(parts.iter().map(|part| format!("{PACKAGE}/{part}")));
    let _spinner = spinner(format!("unpacking {PACKAGE}.tar.xz"));
    let what = format!("{PACKAGE} cannot be unpacked");
    job::run(&mut tar, &cache.path("logs/unpack.log"), what)?;
    Ok(package.join(PACKAGE))
}
