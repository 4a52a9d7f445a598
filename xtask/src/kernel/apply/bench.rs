// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Adds what `cargo xtask kernel bench` boots, to a tree that has the contract: `kernel/bench/`,
//! with one of the files of `kernel/bench/candidates/`.

use super::{
    add_files,
    edit,
    source,
    SHMEM, //
};
use crate::{
    kernel::tree::Tree,
    root, //
};
use anyhow::{
    Context,
    Result, //
};
use std::{
    fs,
    path::Path, //
};

/// Where the candidate is in a tree.
const CANDIDATE: &str = "rust/kernel/drm/gem/shmem/bench_kunit/candidate.rs";

/// Adds it, for the candidate of this name.
pub(crate) fn add_bench(tree: &mut Tree, candidate: &str) -> Result<()> {
    let folder = root().join("kernel/bench");
    add_files(tree, &folder, Path::new(""), |path| {
        path.starts_with("rust")
    })?;
    let file = folder.join("candidates").join(format!("{candidate}.rs"));
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    tree.write(CANDIDATE, text);

    edit(tree, SHMEM, |text| {
        source::declare_before(
            text,
            "contract_kunit",
            "#[cfg(CONFIG_KUNIT = \"y\")]\nmod bench_kunit;\n",
        )
    })
}
