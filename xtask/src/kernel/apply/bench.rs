// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Adds what `cargo xtask kernel bench` boots, to a tree that has the contract: `kernel/bench/`,
//! with one of the files of `kernel/bench/subjects/`.

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

/// Where the subject is in a tree.
const SUBJECT: &str = "rust/kernel/drm/gem/shmem/bench_kunit/subject.rs";

/// Adds it, for the subject of this name.
pub(crate) fn add_bench(tree: &mut Tree, subject: &str) -> Result<()> {
    let folder = root().join("kernel/bench");
    add_files(tree, &folder, Path::new(""), |path| {
        path.starts_with("rust")
    })?;
    let file = folder.join("subjects").join(format!("{subject}.rs"));
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    tree.write(SUBJECT, text);

    edit(tree, SHMEM, |text| {
        source::declare_before(
            text,
            "contract_kunit",
            "#[cfg(CONFIG_KUNIT = \"y\")]\nmod bench_kunit;\n",
        )
    })
}
