// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The kernel's source, if nobody names a tree.

use super::{
    apt,
    cache::Cache,
    job,
    tree::{Tree, Version, MINIMUM},
};
use anyhow::{Context, Result};
use std::{path::PathBuf, process::Command};

/// Debian's package of it.
pub(crate) const PACKAGE: &str = "linux-source-7.3";

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

    let package = apt::package(cache, apt::SUITE, PACKAGE, |_| true).context(INSTEAD)?;
    apt::unpack(cache, &package, |folder| {
        job::run(
            Command::new("tar")
                .arg("--extract")
                .arg("--file")
                .arg(folder.join(format!("usr/src/{PACKAGE}.tar.xz")))
                .arg("--directory")
                .arg(folder),
            &cache.path("logs/unpack.log"),
            format!("{} cannot be unpacked", package.display()),
        )?;

        let tree = folder.join(PACKAGE);
        let version = Tree::open(&tree)?.version();
        Ok((tree, cache.path(&format!("linux-{version}"))))
    })
}
