// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A Rust file that is edited by item: what is looked for has a name, and stands wherever it
//! stands.
//!
//! An item is found with the comments above it. Where it is not what is expected, the error says
//! what was looked for, and nothing is written.

use anyhow::{anyhow, Context, Result};
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use std::{cell::RefCell, ops::Range};
use syn::{
    spanned::Spanned, Field, File, ImplItem, ImplItemFn, Item, ItemFn, ItemImpl, ItemMod,
    ItemStruct, Type,
};

/// A file, and what is to become of it.
pub(crate) struct Source {
    text: String,
    file: File,
    /// The ranges to replace, with their new text.
    edits: RefCell<Vec<(Range<usize>, String)>>,
}

impl Source {
    /// Parses a file.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let file = syn::parse_file(text).context("it cannot be parsed")?;

        Ok(Self {
            text: text.to_owned(),
            file,
            edits: RefCell::default(),
        })
    }

    /// All items.
    pub(crate) fn items(&self) -> &[Item] {
        &self.file.items
    }

    /// The first of the items that this finds.
    pub(crate) fn find<'a, T>(&'a self, find: impl FnMut(&'a Item) -> Option<T>) -> Option<T> {
        self.items().iter().find_map(find)
    }

    /// The struct of this name.
    pub(crate) fn structure(&self, name: &str) -> Result<&ItemStruct> {
        self.find(|item| match item {
            Item::Struct(item) if item.ident == name => Some(item),
            _ => None,
        })
        .ok_or_else(|| anyhow!("there is no `struct {name}`"))
    }

    /// The function of this name that is of no type.
    pub(crate) fn free_function(&self, name: &str) -> Result<&ItemFn> {
        self.find(|item| match item {
            Item::Fn(item) if item.sig.ident == name => Some(item),
            _ => None,
        })
        .ok_or_else(|| anyhow!("there is no `fn {name}()`"))
    }

    /// The field of a struct.
    pub(crate) fn field(&self, structure: &str, name: &str) -> Result<&Field> {
        self.structure(structure)?
            .fields
            .iter()
            .find(|field| field.ident.as_ref().is_some_and(|ident| ident == name))
            .ok_or_else(|| anyhow!("there is no field `{name}` in `struct {structure}`"))
    }

    /// The `impl` blocks of the type of this name, those of traits included.
    pub(crate) fn impls(&self, name: &str) -> Vec<&ItemImpl> {
        self.file
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Impl(item) if is_called(&item.self_ty, name) => Some(item),
                _ => None,
            })
            .collect()
    }

    /// The function of a type, in an `impl` block of its own.
    pub(crate) fn function(&self, ty: &str, name: &str) -> Result<&ImplItemFn> {
        self.find_function(ty, name, false)
    }

    /// A function of a trait that a type implements.
    pub(crate) fn trait_function(&self, ty: &str, name: &str) -> Result<&ImplItemFn> {
        self.find_function(ty, name, true)
    }

    fn find_function(&self, ty: &str, name: &str, is_of_trait: bool) -> Result<&ImplItemFn> {
        self.impls(ty)
            .into_iter()
            .filter(|item| item.trait_.is_some() == is_of_trait)
            .flat_map(|item| &item.items)
            .find_map(|item| match item {
                ImplItem::Fn(function) if function.sig.ident == name => Some(function),
                _ => None,
            })
            .ok_or_else(|| anyhow!("there is no function `{ty}::{name}()`"))
    }

    /// The lines of the statement of a function that mentions this.
    pub(crate) fn statement(&self, ty: &str, name: &str, mentioned: &str) -> Result<Range<usize>> {
        let mut statements = self.function(ty, name)?.block.stmts.iter();
        statements
            .find(|stmt| mentions(stmt.to_token_stream(), mentioned))
            .map(|stmt| self.lines_of(stmt))
            .ok_or_else(|| anyhow!("`{ty}::{name}()` does not mention `{mentioned}`"))
    }

    /// Items that are imported, as one text, and where that stands.
    pub(crate) fn imports(&self) -> impl Iterator<Item = &syn::ItemUse> {
        self.file.items.iter().filter_map(|item| match item {
            Item::Use(item) => Some(item),
            _ => None,
        })
    }

    /// Where the last import ends, with the empty line behind it.
    pub(crate) fn behind_imports(&self) -> Result<usize> {
        self.imports()
            .map(|item| self.lines_of(item).end)
            .max()
            .ok_or_else(|| anyhow!("there are no imports"))
    }

    /// Where something stands.
    pub(crate) fn range(&self, what: &impl Spanned) -> Range<usize> {
        what.span().byte_range()
    }

    /// Where something stands, from the first line of the comments above it to the end of its last
    /// line, and of the empty line behind it.
    pub(crate) fn lines(&self, range: Range<usize>) -> Range<usize> {
        let mut start = self.start_of_line(range.start);
        while start > 0 {
            let above = self.start_of_line(start - 1);
            if !self.text[above..start].trim_start().starts_with("//") {
                break;
            }
            start = above;
        }

        let mut end = self.text[range.end..]
            .find('\n')
            .map_or(self.text.len(), |at| range.end + at + 1);
        if self.text[end..].starts_with('\n') {
            end += 1;
        }

        start..end
    }

    /// The lines of something, with the comments above it.
    pub(crate) fn lines_of(&self, what: &impl Spanned) -> Range<usize> {
        self.lines(self.range(what))
    }

    /// The text of these lines.
    pub(crate) fn text_of(&self, what: &impl Spanned) -> &str {
        self.text(self.lines_of(what))
    }

    fn start_of_line(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// The text of a range.
    pub(crate) fn text(&self, range: Range<usize>) -> &str {
        &self.text[range]
    }

    /// The text from here to the end.
    pub(crate) fn rest(&self, from: usize) -> &str {
        &self.text[from..]
    }

    /// The indentation of the line that contains `at`.
    pub(crate) fn indent(&self, at: usize) -> &str {
        let line = &self.text[self.start_of_line(at)..];
        &line[..line.len() - line.trim_start().len()]
    }

    /// Replaces a range, which no other edit touches.
    pub(crate) fn replace(&self, range: Range<usize>, text: impl Into<String>) {
        self.edits.borrow_mut().push((range, text.into()));
    }

    /// Replaces the lines of something.
    pub(crate) fn replace_item(&self, what: &impl Spanned, text: impl Into<String>) {
        self.replace(self.lines_of(what), text);
    }

    /// Inserts text in front of what stands at `at`.
    pub(crate) fn insert(&self, at: usize, text: impl Into<String>) {
        self.replace(at..at, text);
    }

    /// The file with all edits.
    pub(crate) fn finish(mut self) -> String {
        let mut edits = self.edits.into_inner();
        edits.sort_by_key(|(range, _)| range.start);
        for (range, text) in edits.iter().rev() {
            self.text.replace_range(range.clone(), text);
        }

        self.text
    }
}

/// Declares child modules that are not declared yet, in order of their names among those that are.
/// Where there are none, they come behind the imports, and `rest` behind them.
pub(crate) fn declare(text: &str, modules: &[impl AsRef<str>], rest: &str) -> Result<String> {
    let source = Source::parse(text)?;
    let theirs: Vec<(String, Range<usize>)> = source
        .items()
        .iter()
        .filter_map(|item| match item {
            Item::Mod(item) if item.content.is_none() => {
                Some((item.ident.to_string(), source.lines_of(item)))
            }
            _ => None,
        })
        .collect();
    let Some((_, last)) = theirs.last() else {
        let modules: String = modules.iter().map(AsRef::as_ref).collect();
        let behind = source.behind_imports()?;
        source.insert(behind, format!("{modules}\n{rest}"));
        return Ok(source.finish());
    };

    // In front of the empty line behind the last one.
    let end = last.start + source.text(last.clone()).trim_end().len() + 1;
    for module in modules.iter().map(AsRef::as_ref) {
        let item: ItemMod = syn::parse_str(module)?;
        let name = item.ident.to_string();
        let next = theirs.iter().find(|(other, _)| *other >= name);
        if next.is_none_or(|(other, _)| *other != name) {
            source.insert(next.map_or(end, |(_, lines)| lines.start), module);
        }
    }
    Ok(source.finish())
}

/// Whether a type is `name`, with whatever arguments.
fn is_called(ty: &Type, name: &str) -> bool {
    let Type::Path(ty) = ty else {
        return false;
    };

    ty.path
        .segments
        .last()
        .is_some_and(|segment| segment.ident == name)
}

/// Whether an identifier occurs in tokens.
pub(crate) fn mentions(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Group(group) => mentions(group.stream(), name),
        _ => false,
    })
}

/// Where, in tokens that are separated by commas, the part stands that begins with an identifier;
/// the comma included.
pub(crate) fn part(tokens: TokenStream, name: &str) -> Option<Range<usize>> {
    let mut tokens = tokens.into_iter().peekable();

    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(ident) if ident == name => {
                let start = ident.span().byte_range().start;
                let mut end = ident.span().byte_range().end;
                for token in tokens {
                    end = token.span().byte_range().end;
                    if matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ',') {
                        break;
                    }
                }
                return Some(start..end);
            }
            TokenTree::Group(group) => {
                if let Some(range) = part(group.stream(), name) {
                    return Some(range);
                }
            }
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

    fn source() -> Source {
        Source::parse(TEXT).unwrap()
    }

    #[test]
    fn items_have_their_comments() {
        let source = source();
        let one = source.lines_of(source.structure("One").unwrap());
        assert!(source.text(one.clone()).starts_with("// One.\nstruct"));
        assert!(source.text(one).ends_with("}\n\n"));

        let two = source.lines_of(source.impls("One")[0]);
        assert!(source.text(two).starts_with("// Two, one.\n// Two, two.\n"));

        let first = source.lines_of(source.field("One", "first").unwrap());
        assert_eq!(source.text(first), "    // The first.\n    first: u32,\n\n");
    }

    #[test]
    fn what_is_missing_is_said() {
        let source = source();
        let error = source.field("One", "third").err().unwrap().to_string();
        assert_eq!(error, "there is no field `third` in `struct One`");
        assert!(source.structure("Two").is_err());
        assert!(source.function("One", "drop").is_err());
    }

    #[test]
    fn parts_end_with_their_comma() {
        let source = source();
        let make = source.function("One", "make").unwrap();
        let tokens = quote::ToTokens::to_token_stream(&make.block);
        let second = part(tokens, "second").unwrap();
        assert_eq!(source.text(second), "second <- two(1, 2),");
    }

    #[test]
    fn modules_are_declared_in_order() {
        let text = "use a::b;\nuse c::{\n    d,\n    e, //\n};\n\nstruct One;\n";
        let text = declare(
            text,
            &["mod f;\n", "#[cfg(g)]\nmod h;\n"],
            "pub use f::F;\n\n",
        );
        let modules = ["mod e;\n", "mod f;\n", "mod g;\n", "#[cfg(i)]\nmod i;\n"];
        let text = declare(&text.unwrap(), &modules, "").unwrap();
        assert!(
            text.ends_with(
                "};\n\nmod e;\nmod f;\nmod g;\n#[cfg(g)]\nmod h;\n#[cfg(i)]\nmod i;\n\n\
                 pub use f::F;\n\nstruct One;\n"
            ),
            "{text}"
        );
        assert!(declare("struct One;\n", &["mod f;\n"], "").is_err());
    }

    #[test]
    fn edits_do_not_move_each_other() {
        let source = source();
        let first = source.lines_of(source.field("One", "first").unwrap());
        let at = source.range(source.structure("One").unwrap()).start;
        source.replace(first, "");
        source.insert(at, "#[new]\n");
        assert!(source
            .finish()
            .starts_with("// One.\n#[new]\nstruct One {\n    second: u32,\n}\n"));
    }
}
