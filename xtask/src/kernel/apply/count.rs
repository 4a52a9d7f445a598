// SPDX-License-Identifier: Apache-2.0 OR MIT

//! How much code there is in `drm/gem/shmem.rs`, before and after. Tests, comments and documentation
//! are not counted, nor are lines that are empty.

use super::{
    source::mentions,
    Tree,
    SHMEM, //
};
use anyhow::{
    Context,
    Result, //
};
use proc_macro2::{
    TokenStream,
    TokenTree, //
};
use quote::ToTokens;
use std::{
    collections::BTreeSet,
    fmt,
    path::Path, //
};
use syn::{
    visit_mut::VisitMut,
    Attribute,
    File,
    Item, //
};

/// What only the second lazy field has, for which there is nothing by hand.
const SECOND_FIELD: [&str; 3] = ["vmap_cache", "CachedVMap", "VMapMemory"];

/// How much there is.
#[derive(Debug, PartialEq)]
struct Count {
    lines: usize,
    /// Blocks, functions and implementations.
    unsafes: usize,
}

/// The table.
pub(crate) struct Counts([(&'static str, Count); 3]);

/// Counts what the conversion makes of the file.
pub(crate) fn count(tree: &Tree) -> Result<Counts> {
    let changes = tree.changes()?;
    let change = changes
        .iter()
        .find(|change| change.path == Path::new(SHMEM))
        .with_context(|| format!("{SHMEM} is not changed"))?;
    let before = change.old.as_deref().context("it is a new file")?;

    Ok(Counts([
        ("by hand", code(before, &[])?),
        ("annotated", code(&change.new, &SECOND_FIELD)?),
        ("with a second field", code(&change.new, &[])?),
    ]))
}

/// Counts the code of a file, without what mentions these names.
fn code(text: &str, without: &[&str]) -> Result<Count> {
    let mut file: File = syn::parse_file(text)?;
    let is_without =
        |tokens: TokenStream| without.iter().any(|name| mentions(tokens.clone(), name));

    NoDocumentation.visit_file_mut(&mut file);
    file.items.retain_mut(|item| {
        match item {
            // Tests.
            Item::Mod(_) => false,
            Item::Struct(item) if item.ident == "Object" => {
                if let syn::Fields::Named(fields) = &mut item.fields {
                    let fields = &mut fields.named;
                    // With their commas: new ones would stand nowhere.
                    *fields = std::mem::take(fields)
                        .into_pairs()
                        .filter(|field| !is_without(field.value().to_token_stream()))
                        .collect();
                }
                true
            }
            Item::Impl(item) if item.trait_.is_none() => true,
            item => !is_without(item.to_token_stream()),
        }
    });

    let mut lines = Lines::default();
    lines.read(file.into_token_stream());
    // In what is left of `impl Object`: the slot is initialised in a line of its own.
    let source: Vec<&str> = text.lines().collect();
    lines.used.retain(|line| {
        !without.iter().any(|name| {
            source[line - 1]
                .split(|char: char| !is_name(char))
                .any(|word| word == *name)
        })
    });

    Ok(Count {
        lines: lines.used.len(),
        unsafes: lines.unsafes,
    })
}

fn is_name(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// Takes documentation away, which is an attribute.
struct NoDocumentation;

impl VisitMut for NoDocumentation {
    fn visit_attributes_mut(&mut self, attrs: &mut Vec<Attribute>) {
        attrs.retain(|attr| !attr.path().is_ident("doc"));
    }
}

/// The lines that tokens stand in.
#[derive(Default)]
struct Lines {
    used: BTreeSet<usize>,
    unsafes: usize,
}

impl Lines {
    fn read(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => {
                    self.used.insert(group.span_open().start().line);
                    self.used.insert(group.span_close().end().line);
                    self.read(group.stream());
                }
                token => {
                    let span = token.span();
                    self.used.extend(span.start().line..=span.end().line);
                    self.unsafes +=
                        usize::from(matches!(&token, TokenTree::Ident(name) if name == "unsafe"));
                }
            }
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:30} lines of code  `unsafe`", SHMEM)?;
        for (what, count) in &self.0 {
            writeln!(f, "  {what:28} {:13}  {:8}", count.lines, count.unsafes)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
//! Documentation.

use a::b;

/// Documentation.
pub struct Object {
    // A comment.
    a: u32,
    /// Documentation.
    #[lazy(
        map = CachedVMap,
    )]
    vmap_cache: u32,
}

impl Object {
    fn new() -> Self {
        // SAFETY: None.
        unsafe {
            f(a <- x, /* in */ y);
            g(
                vmap_cache <- z,
            );
        }
    }
}

struct CachedVMap;

unsafe impl Send for CachedVMap {}

#[kunit_tests(x)]
mod tests {
    unsafe fn f() {}
}
";

    #[test]
    fn code_is_counted_and_nothing_else() {
        assert_eq!(
            code(TEXT, &[]).unwrap(),
            Count {
                lines: 1 + 7 + 10 + 2,
                unsafes: 2
            }
        );
    }

    #[test]
    fn what_belongs_to_a_name_is_left_out() {
        assert_eq!(
            code(TEXT, &SECOND_FIELD).unwrap(),
            Count {
                lines: 1 + 3 + 9,
                unsafes: 1
            }
        );
    }
}
