// SPDX-License-Identifier: Apache-2.0 OR MIT

//! KUnit tests that are added to the suite that a file has, or as its suite.

use super::super::source::Source;
use anyhow::{bail, Context, Result};
use syn::{Item, ItemMod};

/// The name of the module of a suite.
const TESTS: &str = "tests";

/// Adds the tests of a module of our own.
pub(super) fn add(text: &str, ours: &Source, name: &str) -> Result<String> {
    let module = module(ours, name)?;
    let tests = tests(ours, module)?;
    let source = Source::parse(text)?;
    let Some(theirs) = find(&source, TESTS) else {
        if name != TESTS {
            bail!("there is no `mod {TESTS}`");
        }
        return Ok(format!("{text}\n{}", ours.text_of(module)));
    };

    let (brace, _) = theirs
        .content
        .as_ref()
        .with_context(|| format!("`mod {TESTS}` is in a file of its own"))?;
    let end = source.range(&brace.span.close()).start;
    source.insert(end, format!("\n{tests}"));
    Ok(source.finish())
}

/// The text of the tests, without the imports before them.
fn tests<'a>(ours: &'a Source, module: &ItemMod) -> Result<&'a str> {
    let (brace, items) = module.content.as_ref().context("there are no tests")?;
    let first = items
        .iter()
        .find(|item| matches!(item, Item::Fn(_)))
        .context("there are no tests")?;

    let end = ours.range(&brace.span.close()).start;
    Ok(ours.text(ours.lines_of(first).start..end))
}

/// Finds a module.
fn find<'a>(source: &'a Source, name: &str) -> Option<&'a ItemMod> {
    source.find(|item| match item {
        Item::Mod(item) if item.ident == name => Some(item),
        _ => None,
    })
}

fn module<'a>(ours: &'a Source, name: &str) -> Result<&'a ItemMod> {
    find(ours, name).with_context(|| format!("there is no `mod {name}` of our own"))
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
        let text = add("use a::b;\n\nfn f() {}\n", &ours, "tests").unwrap();
        assert!(text.ends_with(
            "fn f() {}\n\n#[kunit_tests(rust_a)]\nmod tests {\n    use super::*;\n\n    // A \
             test.\n    #[test]\n    fn one() {}\n}\n\n"
        ));

        let text = add(&text, &ours, "more").unwrap();
        assert!(
            text.contains(
                "    fn one() {}\n\n    // Another test.\n    #[test]\n    fn two() {}\n}\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn what_is_missing_is_said() {
        let ours = Source::parse(OURS).unwrap();
        for (text, name, error) in [
            ("", "more", "there is no `mod tests`"),
            ("", "other", "there is no `mod other` of our own"),
            ("mod tests;", "more", "`mod tests` is in a file of its own"),
        ] {
            assert_eq!(add(text, &ours, name).unwrap_err().to_string(), error);
        }
    }
}
