// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The layout of imports. In files that are copied into a kernel tree, each import has a line of its
//! own, and a last `//` keeps rustfmt from joining the lines. All other files have the layout that
//! rustfmt chooses.

use anyhow::{anyhow, ensure, Context, Result};
use proc_macro2::{TokenStream, TokenTree};
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

/// The files and folders that `cargo xtask kernel apply` copies, in whole or by item.
const OF_THE_KERNEL: [&str; 7] = [
    "kernel",
    "macros/src/devres_lazy",
    "runtime/src/devres/kunit_skip.rs",
    "runtime/src/host/drm/gem/shmem/crates_kunit.rs",
    "runtime/src/host/drm/gem/shmem/import.rs",
    "runtime/src/host/drm/gem/shmem/sg_table.rs",
    "runtime/src/protocol",
];

/// The file in one of these folders that is not copied.
const OF_THE_HOST: &str = "runtime/src/protocol/mod.rs";

/// Inputs of the printer's tests.
const INPUTS: [&str; 3] = [
    // The brackets do not match.
    "cli/tests/bad/unbalanced.rs",
    // A comment stands wherever one can be.
    "cli/tests/files/comments.rs",
    "cli/tests/files/import_trees.rs",
];

/// Adds the Rust files below a folder, without those that a build has made.
fn add_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().context("no name")?;
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        if path.is_dir() && !is_hidden && name != "target" {
            add_files(&path, files)?;
        } else if path.extension() == Some(OsStr::new("rs")) {
            files.push(path);
        }
    }
    Ok(())
}

/// Returns the last line of each import with an empty comment. Imports in macros count, and imports
/// in strings do not.
fn vertical(text: &str) -> Result<Vec<usize>> {
    fn search(text: &str, tokens: TokenStream, lines: &mut Vec<usize>) {
        let mut start = None;
        for token in tokens {
            match &token {
                TokenTree::Ident(name) if name == "use" => start = Some(name.span()),
                TokenTree::Punct(end) if end.as_char() == ';' => {
                    let Some(start) = start.take() else {
                        continue;
                    };
                    let import = &text[start.byte_range().start..end.span().byte_range().end];
                    if import.lines().any(|line| line.trim_end().ends_with("//")) {
                        lines.push(end.span().start().line);
                    }
                }
                TokenTree::Group(group) => search(text, group.stream(), lines),
                _ => (),
            }
        }
    }

    let tokens = text.parse().map_err(|error| anyhow!("{error}"))?;
    let mut lines = Vec::new();
    search(text, tokens, &mut lines);
    Ok(lines)
}

#[test]
fn files_of_the_host_have_rustfmts_layout() -> Result<()> {
    let mut files = Vec::new();
    add_files(Path::new("."), &mut files)?;
    ensure!(files.len() > 500, "there are only {} files", files.len());

    let mut wrong = Vec::new();
    let mut has_vertical = [false; OF_THE_KERNEL.len()];
    for file in &files {
        let file = file.strip_prefix(".")?;
        if INPUTS.iter().any(|it| file == Path::new(it)) {
            continue;
        }
        let lines = vertical(&fs::read_to_string(file)?).with_context(|| format!("{file:?}"))?;
        match OF_THE_KERNEL.iter().position(|it| file.starts_with(it)) {
            Some(place) if file != Path::new(OF_THE_HOST) => {
                has_vertical[place] |= !lines.is_empty();
            }
            _ => wrong.extend(
                lines
                    .iter()
                    .map(|line| format!("{}:{line}", file.display())),
            ),
        }
    }

    ensure!(
        wrong.is_empty(),
        "imports in the kernel's layout, in files that no kernel tree gets:\n{}",
        wrong.join("\n")
    );
    for (place, has_vertical) in OF_THE_KERNEL.iter().zip(has_vertical) {
        ensure!(has_vertical, "{place} has no import in the kernel's layout");
    }
    Ok(())
}

#[test]
fn imports_are_found() -> Result<()> {
    let text = "\
use a::{
    b, // The second.
    c,
};

const TEXT: &str = \"
use a::{
    b, //
};
\";

macro_rules! import {
    () => {
        use a::{
            b,
            c, //
        };
    };
}

fn f(
    a: u32, //
) {
    pub use b::{
        c, //
    };
}
";
    assert_eq!(vertical(text)?, [17, 26]);
    Ok(())
}
