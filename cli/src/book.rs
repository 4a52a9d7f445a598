// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `docs/safety.md`: the obligations, for a reader.

use crate::{
    obligations::{
        self,
        Party,
        Row, //
    },
    wrap::wrap,
};

const INTRO: &str = "\
<!-- SPDX-License-Identifier: Apache-2.0 OR MIT -->
<!-- Written by `cargo xtask bless` from macros/src/safety.rs and cli/src/obligations.rs. -->
# Why it is sound

Every `unsafe` of the slot, of form B and of generated code leans on one of these obligations. The
numbers are those in generated documentation and in what `cargo devres-lazy expand` prints, where
`Owner` and `field` are the names of the struct and the field at hand.

Tests are named with what they catch. Those in `kernel/tree` are KUnit suites, which run on the host
as well: `tests/mutants` runs them on copies that are broken in this way. Those in `tests/ui` are
programs that must not compile. A test checks that they exist, and that no `unsafe` in
`runtime/src/protocol` is missing here.

";

/// The width of the text.
const WIDTH: usize = 100;

/// The text of `docs/safety.md`.
#[must_use]
pub fn safety_book() -> String {
    let rows = obligations::rows();

    let mut book = INTRO.to_owned();
    book.push_str("| | obligation | required by | discharged by |\n|---|---|---|---|\n");
    for row in &rows {
        book.push_str(&format!(
            "| [{0}](#{1}) | {2} | {3} | {4} |\n",
            row.number,
            row.number.to_lowercase(),
            row.title,
            row.required_by,
            party(row)
        ));
    }
    for row in &rows {
        book.push_str(&chapter(row));
    }

    book
}

/// One obligation.
fn chapter(row: &Row) -> String {
    let sites: Vec<_> = row.sites.iter().map(|site| format!("`{site}`")).collect();
    let mut letters = row.title.chars();
    let first: String = letters
        .by_ref()
        .take(1)
        .flat_map(char::to_uppercase)
        .collect();
    let mut text = format!(
        "{first}{}.\n\n- Required by {}: {}\n- Discharged by the {}: {}",
        letters.as_str(),
        row.required_by,
        row.requirement,
        party(row),
        row.how
    );
    if !sites.is_empty() {
        text.push_str(&format!("\n- Leant on in {}.", sites.join(", ")));
    }

    let mut chapter = format!("\n## {}\n\n", row.number);
    for line in wrap(&text, WIDTH) {
        chapter.push_str(&line);
        chapter.push('\n');
    }

    chapter.push_str("\n| test | fails when |\n|---|---|\n");
    for (test, broken) in row.tests {
        chapter.push_str(&format!("| `{test}` | {broken} |\n"));
    }
    chapter
}

/// Who sees to it.
fn party(row: &Row) -> &'static str {
    match row.party {
        Party::Macro => "macro",
        Party::Runtime => "runtime",
        Party::Author => "author",
    }
}

/// The `unsafe` in the runtime that is explained, and the tests that are named.
#[must_use]
pub fn safety_references() -> (Vec<&'static str>, Vec<&'static str>) {
    let rows = obligations::rows();

    (
        rows.iter().flat_map(|row| row.sites).copied().collect(),
        rows.iter()
            .flat_map(|row| row.tests)
            .map(|&(test, _)| test)
            .collect(),
    )
}
