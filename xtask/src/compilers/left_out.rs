// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The tests that other compilers do not run, with the reason.

use super::toolchain::Which;
use crate::report::table;

/// The tests that are left out: the file without its extension, the name, the compilers that do not
/// run it, and why.
const LEFT_OUT: [(&str, &str, &[Which], &str); 3] = [
    (
        "tests/ui",
        "ui",
        &[Which::Oldest, Which::Newest],
        "The test compares messages of the compiler, which differ from release to release.",
    ),
    (
        "cli/tests/cli",
        "editions",
        &[Which::Oldest],
        "The test expects the layout of a `let` chain, which the oldest rustfmt does not make.",
    ),
    (
        "cli/tests/runs",
        "what_is_printed_compiles_and_does_the_same",
        &[Which::Oldest],
        "Two of its programs have `let` chains, which are stable since 1.88.",
    ),
];

/// The names of the tests that a compiler leaves out.
pub(super) fn names(which: Which) -> impl Iterator<Item = &'static str> {
    let left_out = LEFT_OUT
        .iter()
        .filter(move |(.., by, _)| by.contains(&which));
    left_out.map(|(_, name, ..)| *name)
}

/// A table of the tests that are left out.
pub(super) fn table() -> String {
    let rows = LEFT_OUT.iter().map(|(file, name, by, why)| {
        let by: Vec<_> = by.iter().map(|which| which.name()).collect();
        table::cells([&*format!("`{file}`, `{name}`"), &by.join(", "), why])
    });
    let header = table::cells(["left out", "by", "why"]);
    table::text(&[header].into_iter().chain(rows).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root;
    use std::fs;

    #[test]
    fn tests_that_are_left_out_exist() {
        for (file, name, ..) in LEFT_OUT {
            let text = fs::read_to_string(root().join(format!("{file}.rs"))).expect(file);
            assert!(text.contains(&format!("\nfn {name}()")), "{name}");
        }
    }
}
