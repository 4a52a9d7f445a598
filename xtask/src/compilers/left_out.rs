// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The tests of the workspace that no other compiler runs, with the reason.

use crate::report::table::Table;
use anyhow::{Context, Result};
use std::{fs, path::Path};

/// A test that is left out.
struct LeftOut {
    /// Its file or folder in `tests/`, without the extension.
    test: &'static str,
    why: &'static str,
}

/// The tests that are left out.
const LEFT_OUT: [LeftOut; 1] = [LeftOut {
    test: "ui",
    why: "It compares messages of the compiler, which differ from release to release.",
}];

/// The tests of a folder, without those that are left out.
pub(super) fn tests(folder: &Path) -> Result<Vec<String>> {
    let mut tests = all(folder)?;
    tests.retain(|test| LEFT_OUT.iter().all(|it| it.test != test));
    Ok(tests)
}

/// All tests of a folder, by their names for cargo.
fn all(folder: &Path) -> Result<Vec<String>> {
    let mut tests = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let is_test =
            path.join("main.rs").exists() || path.extension().is_some_and(|it| it == "rs");
        if let Some(name) = path.file_stem().filter(|_| is_test) {
            tests.push(name.to_string_lossy().into_owned());
        }
    }
    tests.sort();
    Ok(tests)
}

/// A table of the tests that are left out.
pub(super) fn table() -> Table {
    let mut table = Table::text(["left out", "why"]);
    for LeftOut { test, why } in &LEFT_OUT {
        table.push([format!("`tests/{test}`"), (*why).to_owned()]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root;

    #[test]
    fn tests_that_are_left_out_exist() {
        let folder = root().join("tests");
        let all = all(&folder).unwrap();
        assert!(all.len() > 15, "{all:?}");
        for LeftOut { test, why } in &LEFT_OUT {
            assert!(all.iter().any(|it| it == test), "{test}");
            assert!(why.ends_with('.'), "{why}");
        }
        assert_eq!(tests(&folder).unwrap().len(), all.len() - LEFT_OUT.len());
    }
}
