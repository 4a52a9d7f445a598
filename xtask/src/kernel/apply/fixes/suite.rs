// SPDX-License-Identifier: Apache-2.0 OR MIT

//! KUnit tests that are added to the suite that a file has, or as its suite.

use super::super::source::Source;
use anyhow::{Context, Result};
use std::ops::Range;
use syn::{spanned::Spanned, Item};

/// The name of the module of a suite.
const TESTS: &str = "tests";

/// A module.
struct Module {
    /// Its first attribute, to its end.
    whole: Range<usize>,
    /// The first function, with the comment above it, to the last brace.
    tests: Range<usize>,
}

/// Adds the tests of a module of our own to the suite that a file has to have.
pub(super) fn join(source: &mut Source, ours: &Source, name: &str) -> Result<()> {
    find(source, TESTS)?.with_context(|| format!("there is no `mod {TESTS}`"))?;
    add(source, ours, name)
}

/// Adds the tests of a module of our own.
pub(super) fn add(source: &mut Source, ours: &Source, name: &str) -> Result<()> {
    let module = find(ours, name)?.with_context(|| format!("there is no `mod {name}` of ours"))?;
    let (end, text) = match find(source, TESTS)? {
        Some(theirs) => (theirs.tests.end, module.tests),
        None => (source.text().len(), module.whole),
    };
    let text = format!("\n{}", ours.text()[text].trim_end()) + "\n";

    source.insert(end, &text)
}

/// Finds a module with functions in it.
fn find(source: &Source, name: &str) -> Result<Option<Module>> {
    let file = syn::parse_file(source.text())?;
    let modules = file.items.iter().filter_map(|item| match item {
        Item::Mod(module) if module.ident == name => Some(module),
        _ => None,
    });
    for module in modules {
        let Some((brace, items)) = &module.content else {
            continue;
        };
        let first = items.iter().find(|item| matches!(item, Item::Fn(_)));
        let first = first.with_context(|| format!("`mod {name}` has no functions"))?;

        return Ok(Some(Module {
            whole: module.span().byte_range(),
            tests: source.lines_at(first.span().byte_range()).start
                ..brace.span.close().byte_range().start,
        }));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "\
#[kunit_tests(rust_a)]
mod tests {
    use super::*;

    // A test.
    #[test]
    fn one() {}
}

mod more {
    // Another test.
    #[test]
    fn two() {}
}
";

    #[test]
    fn tests_make_a_suite_or_join_it() {
        let ours = Source::parse(OURS).unwrap();
        let mut source = Source::parse("use a::b;\n\nfn f() {}\n").unwrap();
        add(&mut source, &ours, "tests").unwrap();
        assert!(source.text().ends_with(
            "fn f() {}\n\n#[kunit_tests(rust_a)]\nmod tests {\n    use super::*;\n\n    // A \
             test.\n    #[test]\n    fn one() {}\n}\n"
        ));

        add(&mut source, &ours, "more").unwrap();
        assert!(source.text().ends_with(
            "    fn one() {}\n\n    // Another test.\n    #[test]\n    fn two() {}\n}\n"
        ));
    }

    #[test]
    fn what_is_missing_is_said() {
        let ours = Source::parse(OURS).unwrap();
        let mut source = Source::parse("mod others {}\n").unwrap();
        let error = join(&mut source, &ours, "more").unwrap_err();
        assert_eq!(error.to_string(), "there is no `mod tests`");

        let mut source = Source::parse("mod tests {}\n").unwrap();
        for (name, error) in [
            ("other", "there is no `mod other` of ours"),
            ("more", "`mod tests` has no functions"),
        ] {
            let found = add(&mut source, &ours, name).unwrap_err();
            assert_eq!(found.to_string(), error);
        }
    }
}
