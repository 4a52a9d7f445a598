// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Whatever is in a file: it is expanded, or it is said what is wrong with it.

use cargo_devres_lazy::{expand, Options, Source};
use proptest::{prelude::*, sample::Index};
use std::path::Path;

const VALID: &str = include_str!("../../tests/expand/map_field.rs");

/// The words of the files that these tests break.
const WORDS: [&str; 20] = [
    "#[devres_lazy]",
    "#[pin_data]",
    "#[lazy(",
    "#![a]",
    "struct",
    "impl",
    "fn",
    "mod m",
    "A",
    "self",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ",",
    "\"",
    "'",
    "//",
];

/// Expands it, if it can be.
fn check(bytes: Vec<u8>) -> Result<(), TestCaseError> {
    let source = match Source::from_bytes(Path::new("fuzz.rs"), bytes) {
        Ok(source) => source,
        Err(failure) => {
            prop_assert!(failure.to_string().starts_with("error: "));
            return Ok(());
        }
    };
    match expand(&source, &Options::default()) {
        // A struct has its teardown, and a destructor of the author's the promise to begin with it.
        Ok(text) => prop_assert!(text.contains("LazyOwner") || text.contains("TeardownFirst")),
        Err(error) => prop_assert!(error.to_string().starts_with("error: "), "{error:?}"),
    }
    Ok(())
}

/// So many cases, and no file of those that fail.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn bytes(bytes: Vec<u8>) {
        check(bytes)?;
    }

    #[test]
    fn words(words in prop::collection::vec(prop::sample::select(&WORDS[..]), 0..30)) {
        check(words.join(" ").into_bytes())?;
    }

}

proptest! {
    // Most of these run rustfmt.
    #![proptest_config(config(64))]

    #[test]
    fn mutated(
        edits in prop::collection::vec((any::<Index>(), 0..4_usize, "[ -~\u{e4}\r\n]{0,3}"), 1..4)
    ) {
        let mut text = VALID.to_owned();
        for (at, deleted, inserted) in edits {
            let start = at.index(text.len());
            let end = (start + deleted).min(text.len());
            if text.is_char_boundary(start) && text.is_char_boundary(end) {
                text.replace_range(start..end, &inserted);
            }
        }
        check(text.into_bytes())?;
    }
}

#[test]
fn nested() -> Result<(), TestCaseError> {
    // Deeper than any stack.
    check("(".repeat(1 << 20).into_bytes())?;
    let deep = format!(
        "const A: () = {}{};",
        "(".repeat(1 << 20),
        ")".repeat(1 << 20)
    );
    check(deep.into_bytes())
}
