// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The tests that other compilers do not run, with the reason.

use super::toolchain::Which;
use crate::report::table;

/// A test that is left out.
struct LeftOut {
    /// Its file, without the extension.
    place: &'static str,
    name: &'static str,
    /// The compilers that do not run it.
    by: &'static [Which],
    why: &'static str,
}

/// The tests that are left out.
const LEFT_OUT: [LeftOut; 3] = [
    LeftOut {
        place: "tests/ui",
        name: "ui",
        by: &[Which::Oldest, Which::Newest],
        why: "The test compares messages of the compiler, which differ from release to release.",
    },
    LeftOut {
        place: "cli/tests/cli",
        name: "editions",
        by: &[Which::Oldest],
        why:
            "The test expects the layout of a `let` chain, which the oldest rustfmt does not make.",
    },
    LeftOut {
        place: "cli/tests/runs",
        name: "what_is_printed_compiles_and_does_the_same",
        by: &[Which::Oldest],
        why: "Two of its programs have `let` chains, which are stable since 1.88.",
    },
];

/// The names of the tests that a compiler leaves out.
pub(super) fn names(which: Which) -> impl Iterator<Item = &'static str> {
    let left_out = LEFT_OUT.iter().filter(move |it| it.by.contains(&which));
    left_out.map(|it| it.name)
}

/// A table of the tests that are left out.
pub(super) fn table() -> String {
    let mut rows = vec![table::cells(["left out", "by", "why"])];
    for it in &LEFT_OUT {
        let by: Vec<_> = it.by.iter().map(|which| which.name()).collect();
        rows.push(vec![
            format!("`{}`, `{}`", it.place, it.name),
            by.join(", "),
            it.why.to_owned(),
        ]);
    }
    table::text(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root;
    use std::fs;

    #[test]
    fn tests_that_are_left_out_exist() {
        for it in &LEFT_OUT {
            let file = root().join(format!("{}.rs", it.place));
            let text = fs::read_to_string(file).expect(it.place);
            assert!(text.contains(&format!("\nfn {}()", it.name)), "{}", it.name);
        }
    }
}
