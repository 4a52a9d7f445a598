// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The tests that other compilers do not run, with the reason.

use super::which::Which;
use crate::report::table::{self, Row};
use anyhow::{Context, Result};
use std::{fs, path::Path};

/// A test that is left out.
struct LeftOut {
    /// Its folder, or its file without the extension.
    place: &'static str,
    /// Its name, or [`None`] for all tests of the place.
    name: Option<&'static str>,
    /// The compilers that do not run it.
    by: &'static [Which],
    why: &'static str,
}

/// The tests that are left out.
const LEFT_OUT: [LeftOut; 3] = [
    LeftOut {
        place: "tests/ui",
        name: None,
        by: &Which::ALL,
        why: "The test compares messages of the compiler, which differ from release to release.",
    },
    LeftOut {
        place: "cli/tests/cli",
        name: Some("editions"),
        by: &[Which::Oldest],
        why:
            "The test expects the layout of a `let` chain, which the oldest rustfmt does not make.",
    },
    LeftOut {
        place: "cli/tests/runs",
        name: Some("what_is_printed_compiles_and_does_the_same"),
        by: &[Which::Oldest],
        why: "Two of its programs have `let` chains, which are stable since 1.88.",
    },
];

/// The tests of the folder `tests`, without those that a compiler leaves out as a whole.
pub(super) fn tests(root: &Path, which: Which) -> Result<Vec<String>> {
    let mut tests = all(&root.join("tests"))?;
    tests.retain(|test| {
        let place = format!("tests/{test}");
        !LEFT_OUT
            .iter()
            .any(|it| it.name.is_none() && it.place == place && it.by.contains(&which))
    });
    Ok(tests)
}

/// The names of the single tests that a compiler leaves out.
pub(super) fn names(which: Which) -> impl Iterator<Item = &'static str> {
    let left_out = LEFT_OUT.iter().filter(move |it| it.by.contains(&which));
    left_out.filter_map(|it| it.name)
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
pub(super) fn table() -> String {
    let header = table::cells(["left out", "by", "why"]);
    let row = |it: &LeftOut| -> Row {
        let name = it.name.map(|name| format!(", `{name}`"));
        let by: Vec<_> = it.by.iter().map(|which| which.name()).collect();
        vec![
            format!("`{}`{}", it.place, name.unwrap_or_default()),
            by.join(", "),
            it.why.to_owned(),
        ]
    };
    let rows: Vec<_> = [header]
        .into_iter()
        .chain(LEFT_OUT.iter().map(row))
        .collect();
    table::text(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root;

    #[test]
    fn tests_that_are_left_out_exist() {
        for it in &LEFT_OUT {
            let file = root().join(format!("{}.rs", it.place));
            let text = fs::read_to_string(file).expect(it.place);
            if let Some(name) = it.name {
                assert!(text.contains(&format!("\nfn {name}()")), "{name}");
            }
            assert!(it.why.ends_with('.'), "{}", it.why);
        }
    }

    #[test]
    fn each_compiler_leaves_out_its_own() {
        let all = all(&root().join("tests")).unwrap();
        assert!(all.len() > 15, "{all:?}");
        for which in Which::ALL {
            let tests = super::tests(&root(), which).unwrap();
            assert_eq!(tests.len(), all.len() - 1);
            assert!(!tests.contains(&"ui".to_owned()));
        }
        let alone = LEFT_OUT.iter().filter(|it| it.name.is_some()).count();
        assert_eq!(names(Which::Oldest).count(), alone);
        assert_eq!(names(Which::Newest).count(), 0);
    }
}
