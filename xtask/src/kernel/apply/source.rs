// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A Rust file that is edited by item. An item is found by its name, with the comments above it.
//! Where it is not what is expected, the error says what was looked for.

use anyhow::{anyhow, bail, ensure, Context, Result};
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use std::ops::Range;
use syn::{spanned::Spanned, Block, Ident, ImplItem, Item, TraitItem, Type, UseTree};

/// A file.
pub(super) struct Source {
    text: String,
    parts: Vec<Part>,
}

/// Something in a file that has a name:
///
/// | name | of |
/// |---|---|
/// | `struct A`, `enum A`, `fn a`, `mod a` | an item |
/// | `use a` | an import from the crate `a` |
/// | `impl A`, `impl A for B` | an implementation, of a type's own or of a trait |
/// | `A.b` | a field |
/// | `A::b`, `<A as B>::c` | a constant, a function or a type of a type or trait |
struct Part {
    name: String,
    tokens: TokenStream,
    /// The body, if it is a function.
    block: Option<Block>,
}

impl Source {
    /// Parses a file.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut parts = Vec::new();
        for item in syn::parse_file(text).context("it cannot be parsed")?.items {
            add(item, &mut parts);
        }

        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }

    /// The whole file.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The names of all parts, in order.
    pub(super) fn names(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.parts.iter().map(|part| part.name.as_str())
    }

    /// The part of this name, which has to be there once.
    fn part(&self, name: &str) -> Result<&Part> {
        let found = self.parts.iter().filter(|part| part.name == name);
        only(found).map_err(|count| match count {
            0 => anyhow!("there is no `{name}`"),
            _ => anyhow!("there are {count} of `{name}`, not one"),
        })
    }

    fn block(&self, function: &str) -> Result<&Block> {
        let block = self.part(function)?.block.as_ref();
        block.with_context(|| format!("`{function}` has no body"))
    }

    /// Where a part stands, without the comments above it.
    pub(super) fn range(&self, name: &str) -> Result<Range<usize>> {
        Ok(self.part(name)?.tokens.span().byte_range())
    }

    /// The lines of a part, with the comments above it and the empty line behind it.
    pub(super) fn lines(&self, name: &str) -> Result<Range<usize>> {
        Ok(self.lines_at(self.range(name)?))
    }

    /// The text of these lines, without the empty one.
    pub(super) fn text_of(&self, name: &str) -> Result<&str> {
        let text = &self.text[self.lines(name)?];
        Ok(text
            .strip_suffix("\n\n")
            .map_or(text, |it| &text[..=it.len()]))
    }

    /// The same, with an empty line behind it.
    pub(super) fn paragraph(&self, name: &str) -> Result<String> {
        Ok(format!("{}\n", self.text_of(name)?))
    }

    /// The documentation of an item.
    pub(super) fn docs(&self, name: &str) -> Result<String> {
        let lines = self.text_of(name)?.split_inclusive('\n');
        Ok(lines.take_while(|line| line.starts_with("///")).collect())
    }

    /// The lines of the last part whose name begins like this.
    pub(super) fn last(&self, prefix: &str) -> Result<Range<usize>> {
        let mut parts = self.parts.iter();
        let part = parts.rfind(|part| part.name.starts_with(prefix));
        let part = part.with_context(|| format!("there is no `{prefix}..`"))?;
        Ok(self.lines_at(part.tokens.span().byte_range()))
    }

    /// The items that follow the imports.
    pub(super) fn behind_imports(&self) -> Result<&str> {
        Ok(&self.text[self.last("use ")?.end..])
    }

    /// The lines of the one statement of a function that mentions an identifier.
    pub(super) fn statement(&self, function: &str, mentioned: &str) -> Result<Range<usize>> {
        let statements = self.block(function)?.stmts.iter();
        let found = statements.filter(|it| mentions(it.to_token_stream(), mentioned));
        let statement = only(found).map_err(|count| match count {
            0 => anyhow!("`{function}` does not mention `{mentioned}`"),
            _ => anyhow!("`{function}` mentions `{mentioned}` in {count} statements, not in one"),
        })?;
        Ok(self.lines_at(statement.span().byte_range()))
    }

    /// The text between the braces of a function.
    pub(super) fn text_in(&self, function: &str) -> Result<&str> {
        Ok(&self.text[self.body(function)?])
    }

    /// The body of a function, with the braces and without comments.
    pub(super) fn tokens_of_body(&self, function: &str) -> Result<TokenStream> {
        Ok(self.block(function)?.to_token_stream())
    }

    /// The lines between the braces of a function.
    pub(super) fn body(&self, function: &str) -> Result<Range<usize>> {
        let braces = self.block(function)?.brace_token.span;
        let start = braces.open().byte_range().end + 1;
        let end = start_of_line(&self.text, braces.close().byte_range().start);
        ensure!(start <= end, "`{function}` is a single line");
        Ok(start..end)
    }

    /// Where, in what is separated by commas in `part`, that stands which begins with this
    /// identifier; the comma included.
    pub(super) fn element(&self, part: &str, name: &str) -> Result<Range<usize>> {
        let tokens = self.part(part)?.tokens.clone();
        element(tokens, name).with_context(|| format!("`{part}` has no `{name}`"))
    }

    /// Extends a range to whole lines, as [`Source::lines`] does.
    pub(super) fn lines_at(&self, range: Range<usize>) -> Range<usize> {
        let start = with_comments(&self.text, range.start);
        let line = self.text[range.end..].find('\n');
        let end = line.map_or(self.text.len(), |at| range.end + at + 1);
        start..end + usize::from(self.text[end..].starts_with('\n'))
    }

    /// Replaces a range.
    pub(super) fn replace(&mut self, range: Range<usize>, text: &str) -> Result<()> {
        let mut edited = self.text.clone();
        edited.replace_range(range, text);
        *self = Self::parse(&edited)?;
        Ok(())
    }

    /// Inserts text in front of what stands at `at`.
    pub(super) fn insert(&mut self, at: usize, text: &str) -> Result<()> {
        self.replace(at..at, text)
    }

    /// Inserts a line behind the one that `at` is in, with the indentation of that one.
    pub(super) fn insert_line(&mut self, at: usize, text: &str) -> Result<()> {
        let line = &self.text[start_of_line(&self.text, at)..];
        let indent = &line[..line.len() - line.trim_start().len()];
        let text = format!("{indent}{text}\n");
        self.insert(
            at + self.text[at..].find('\n').map_or(0, |end| end + 1),
            &text,
        )
    }

    /// Replaces a text in a part, which has to be there once.
    pub(super) fn substitute(&mut self, name: &str, from: &str, to: &str) -> Result<()> {
        let lines = self.lines(name)?;
        let found: Vec<_> = self.text[lines.clone()].match_indices(from).collect();
        let [(at, _)] = found[..] else {
            let from = from.trim();
            bail!("`{name}` has `{from}` {} times, not once", found.len());
        };
        let start = lines.start + at;
        self.replace(start..start + from.len(), to)
    }
}

/// Where the line begins that `at` is in, with the comments above it but for those of a file.
pub(crate) fn with_comments(text: &str, at: usize) -> usize {
    let mut start = start_of_line(text, at);
    while start > 0 {
        let above = start_of_line(text, start - 1);
        let line = text[above..start].trim_start();
        if !line.starts_with("//") || line.starts_with("//!") {
            break;
        }
        start = above;
    }
    start
}

/// Where the line of a text begins that `at` is in.
pub(crate) fn start_of_line(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// Returns the only element, or else how many there are.
pub(super) fn only<T>(mut found: impl Iterator<Item = T>) -> Result<T, usize> {
    match (found.next(), found.count()) {
        (Some(one), 0) => Ok(one),
        (one, others) => Err(usize::from(one.is_some()) + others),
    }
}

/// Adds an item, and what is in it that has a name.
fn add(item: Item, parts: &mut Vec<Part>) {
    let mut part = |name: String, of: &dyn ToTokens, block: Option<&Block>| {
        parts.push(Part {
            name,
            tokens: of.to_token_stream(),
            block: block.cloned(),
        });
    };
    match &item {
        Item::Enum(it) => part(format!("enum {}", it.ident), it, None),
        Item::Fn(it) => part(format!("fn {}", it.sig.ident), it, Some(&it.block)),
        Item::Mod(it) if it.content.is_none() => part(format!("mod {}", it.ident), it, None),
        Item::Use(it) => {
            if let UseTree::Path(path) = &it.tree {
                part(format!("use {}", path.ident), it, None);
            }
        }
        Item::Struct(it) => {
            part(format!("struct {}", it.ident), it, None);
            for field in &it.fields {
                if let Some(name) = &field.ident {
                    part(format!("{}.{name}", it.ident), field, None);
                }
            }
        }
        Item::Trait(it) => {
            for member in &it.items {
                let ident = match member {
                    TraitItem::Const(it) => &it.ident,
                    TraitItem::Type(it) => &it.ident,
                    _ => continue,
                };
                part(format!("{}::{ident}", it.ident), member, None);
            }
        }
        Item::Impl(it) => {
            let Some(owner) = type_name(&it.self_ty) else {
                return;
            };
            let mut of = owner.to_string();
            let path = it.trait_.as_ref().map(|(_, path, _)| path);
            match path.and_then(|path| path.segments.last()) {
                None => part(format!("impl {of}"), it, None),
                Some(name) => {
                    part(format!("impl {} for {of}", name.ident), it, None);
                    of = format!("<{of} as {}>", name.ident);
                }
            }
            for member in &it.items {
                let (ident, block) = match member {
                    ImplItem::Const(it) => (&it.ident, None),
                    ImplItem::Fn(it) => (&it.sig.ident, Some(&it.block)),
                    ImplItem::Type(it) => (&it.ident, None),
                    _ => continue,
                };
                part(format!("{of}::{ident}"), member, block);
            }
        }
        _ => (),
    }
}

/// The last name of a type, or of the type that it refers to.
fn type_name(ty: &Type) -> Option<&Ident> {
    match ty {
        Type::Path(ty) => Some(&ty.path.segments.last()?.ident),
        Type::Reference(ty) => type_name(&ty.elem),
        _ => None,
    }
}

/// Whether an identifier occurs in tokens.
fn mentions(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Group(group) => mentions(group.stream(), name),
        _ => false,
    })
}

fn element(tokens: TokenStream, name: &str) -> Option<Range<usize>> {
    let mut tokens = tokens.into_iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(ident) if ident == name => {
                let range = ident.span().byte_range();
                let mut end = range.end;
                for token in tokens {
                    end = token.span().byte_range().end;
                    if matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ',') {
                        break;
                    }
                }
                return Some(range.start..end);
            }
            TokenTree::Group(group) => match element(group.stream(), name) {
                None => (),
                found => return found,
            },
            _ => (),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
// One.
struct One {
    // The first.
    first: u32,

    second: u32,
}

// Two, one.
// Two, two.
impl One {
    fn make() -> Self {
        init!(One { first: 1, second <- two(1, 2), third: 3 })
    }
}
";

    #[test]
    fn parts_have_their_comments() {
        let source = Source::parse(TEXT).unwrap();
        for (name, begins, ends) in [
            ("struct One", "// One.\nstruct", "}\n\n"),
            ("One.first", "    // The first.\n    first", "u32,\n\n"),
            ("One.second", "    second", "u32,\n"),
            ("impl One", "// Two, one.\n// Two, two.\nimpl", "}\n"),
        ] {
            let text = &source.text[source.lines(name).unwrap()];
            assert!(text.starts_with(begins) && text.ends_with(ends), "{text}");
        }
        let second = source.element("One::make", "second").unwrap();
        assert_eq!(&source.text[second], "second <- two(1, 2),");
    }

    #[test]
    fn what_is_missing_is_said() {
        let mut source = Source::parse(TEXT).unwrap();
        for (error, expected) in [
            (source.lines("One.third").err(), "there is no `One.third`"),
            (source.lines("struct Two").err(), "there is no `struct Two`"),
            (source.body("One::drop").err(), "there is no `One::drop`"),
            (source.body("struct One").err(), "`struct One` has no body"),
            (source.last("use ").err(), "there is no `use ..`"),
            (
                source.substitute("struct One", "u32", "u64").err(),
                "`struct One` has `u32` 2 times, not once",
            ),
        ] {
            assert_eq!(error.unwrap().to_string(), expected);
        }
    }
}
