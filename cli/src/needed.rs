// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Imports for the names that printed code needs: added to the `use` that has the prelude.
//!
//! A name is imported only if the file has it for nothing else. An item under a condition gets no
//! imports, as nothing might use them.

use crate::{
    devres_lazy::parse,
    find::Annotated,
    short::{self, Short},
    source::Source,
    written,
};
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    mem,
    ops::Range,
};
use syn::{
    ext::IdentExt, spanned::Spanned, Attribute, File, Item, ItemStruct, ItemUse, UseTree,
    Visibility,
};

/// An edit of the `use` that has the prelude, so that it has the names that `code` needs too;
/// [`None`] if it has them, or cannot be told to.
pub(crate) fn edit(
    source: &Source,
    file: &File,
    annotated: &Annotated,
    short: &Short,
    code: TokenStream,
    is_written: &dyn Fn(&TokenTree) -> bool,
) -> Option<(Range<usize>, String)> {
    if !short.is_complete || is_conditional(annotated) {
        return None;
    }
    let items = short::innermost(file, annotated.range.start);
    let import = items.iter().find_map(|item| match item {
        Item::Use(import) if is_plain(source, import) => Some(import),
        _ => None,
    })?;
    let UseTree::Path(root) = &import.tree else {
        return None;
    };
    let mut tree = Tree::default();
    tree.add_all(&root.tree);
    if !tree.has(&["prelude".to_owned(), "*".to_owned()]) {
        return None;
    }

    let krate = short.full(&root.ident.unraw().to_string());
    let words = Words::of(file);
    let mut is_changed = false;
    short.for_each_long(code, is_written, &mut |path| {
        if path[0] != krate {
            return;
        }
        let last = path
            .iter()
            .position(|name| name.starts_with(char::is_uppercase));
        let last = last.unwrap_or(path.len() - 1);
        // The name itself, or else that of its module.
        let found = [Some(last), last.checked_sub(1)]
            .into_iter()
            .flatten()
            .find(|&last| {
                let name = &path[last];
                last > 0 && (tree.has(&path[1..=last]) || short.is_free(name) && words.lacks(name))
            });
        if let Some(last) = found {
            is_changed |= tree.add(&path[1..=last]);
        }
    });

    let indent = written::indent_at(&source.text, import.span().byte_range().start);
    is_changed.then(|| {
        let text = format!("use {}{};", root.ident, tree.braced(""));
        let text = text.replace('\n', &format!("\n{indent}"));
        let range = import.span().byte_range();
        // Only an import with a `//` has the kernel's layout.
        if source.text[range.clone()].contains("//") {
            (range, text)
        } else {
            (range, text.replace(", //\n", ",\n"))
        }
    })
}

/// Whether the item, or a lazy field of it, depends on a condition.
fn is_conditional(annotated: &Annotated) -> bool {
    let is_condition = |attr: &Attribute| {
        let path = attr.path();
        path.is_ident("cfg") || path.is_ident("cfg_attr")
    };
    let Ok(item) = syn::parse2::<ItemStruct>(annotated.item.clone()) else {
        return true;
    };
    let mut lazy = item
        .fields
        .iter()
        .filter(|field| field.attrs.iter().any(parse::is_lazy));

    item.attrs.iter().any(is_condition) || lazy.any(|field| field.attrs.iter().any(is_condition))
}

/// Whether this is a private `use` with braces, and with no comment in it that says something.
fn is_plain(source: &Source, import: &ItemUse) -> bool {
    let is_group =
        matches!(&import.tree, UseTree::Path(root) if matches!(*root.tree, UseTree::Group(_)));
    let text = &source.text[import.span().byte_range()];
    let has_words = text.contains("/*")
        || text
            .split("//")
            .skip(1)
            .any(|comment| !comment.starts_with('\n'));

    is_group && import.attrs.is_empty() && matches!(import.vis, Visibility::Inherited) && !has_words
}

/// The words of a file.
struct Words {
    all: BTreeSet<String>,
    /// The words that a path begins with.
    heads: BTreeSet<String>,
}

impl Words {
    fn of(file: &File) -> Self {
        let mut words = Self {
            all: BTreeSet::new(),
            heads: BTreeSet::new(),
        };
        words.collect(file.to_token_stream());
        words
    }

    fn collect(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Group(group) => self.collect(group.stream()),
                TokenTree::Ident(name) => {
                    let name = name.unraw().to_string();
                    let is_head = tokens.get(at + 1).is_some_and(short::is_colon)
                        && tokens.get(at + 2).is_some_and(short::is_colon)
                        && !(at > 0 && short::is_colon(&tokens[at - 1]));
                    if is_head {
                        self.heads.insert(name.clone());
                    }
                    self.all.insert(name);
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => (),
            }
        }
    }

    /// Whether the file does not use a name, as far as an import of it would matter.
    fn lacks(&self, name: &str) -> bool {
        // A variable or a method may be called as a module is.
        let is_type = name.starts_with(char::is_uppercase);
        let used = if is_type { &self.all } else { &self.heads };
        !used.contains(name)
    }
}

/// The imports from a module.
#[derive(Default)]
struct Tree {
    /// Whether the module itself is imported.
    is_leaf: bool,
    parts: BTreeMap<Name, Tree>,
}

/// A name, in rustfmt's order.
#[derive(PartialEq, Eq)]
struct Name(String);

impl Name {
    fn rank(&self) -> u8 {
        let is_upper = |c: char| c.is_uppercase() || c == '_' || c.is_numeric();
        match self.0.as_str() {
            "*" => 4,
            name if name.starts_with("self ") => 0,
            name if name.len() > 1 && name.chars().all(is_upper) => 3,
            name if name.starts_with(char::is_uppercase) => 2,
            _ => 1,
        }
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.rank(), &self.0).cmp(&(other.rank(), &other.0))
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Tree {
    /// Adds what a part of a `use` imports.
    fn add_all(&mut self, tree: &UseTree) {
        match tree {
            UseTree::Name(tree) if tree.ident == "self" => self.is_leaf = true,
            UseTree::Name(tree) => self.part(&tree.ident).is_leaf = true,
            UseTree::Rename(tree) => {
                self.part(format!("{} as {}", tree.ident, tree.rename))
                    .is_leaf = true;
            }
            UseTree::Glob(_) => self.part('*').is_leaf = true,
            UseTree::Path(tree) => self.part(&tree.ident).add_all(&tree.tree),
            UseTree::Group(tree) => {
                for tree in &tree.items {
                    self.add_all(tree);
                }
            }
        }
    }

    /// The part of this name.
    fn part(&mut self, name: impl ToString) -> &mut Self {
        self.parts.entry(Name(name.to_string())).or_default()
    }

    fn has(&self, path: &[String]) -> bool {
        match path {
            [] => self.is_leaf,
            [name, rest @ ..] => {
                let part = self.parts.get(&Name(name.clone()));
                part.is_some_and(|part| part.has(rest))
            }
        }
    }

    /// Adds a path. Returns whether it is new.
    fn add(&mut self, path: &[String]) -> bool {
        match path {
            [] => !mem::replace(&mut self.is_leaf, true),
            [name, rest @ ..] => self.parts.entry(Name(name.clone())).or_default().add(rest),
        }
    }

    /// The text behind the module's name in a `use`, in the style of the kernel.
    fn text(&self, indent: &str) -> String {
        match (self.is_leaf, self.parts.len()) {
            (true, 0) => String::new(),
            (false, 1) => self
                .parts
                .iter()
                .map(|(Name(name), part)| format!("::{name}{}", part.text(indent)))
                .collect(),
            _ => self.braced(indent),
        }
    }

    fn braced(&self, indent: &str) -> String {
        let inner = format!("{indent}    ");
        let mut text = "::{".to_owned();
        let this = self.is_leaf.then(|| "self".to_owned());
        let parts = self
            .parts
            .iter()
            .map(|(Name(name), part)| format!("{name}{}", part.text(&inner)));
        let parts: Vec<_> = this.into_iter().chain(parts).collect();
        for (at, part) in parts.iter().enumerate() {
            // Keeps rustfmt from putting all names on one line.
            let is_last_name = at + 1 == parts.len() && !part.contains('\n');
            let end = if is_last_name { ", //" } else { "," };
            text.push_str(&format!("\n{inner}{part}{end}"));
        }
        format!("{text}\n{indent}}}")
    }
}
