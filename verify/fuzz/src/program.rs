// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The meaning of a file, whatever its layout: its tokens, with annotated items as the macro expands
//! them, and imports one by one.

use crate::comments::without_comments;
use cargo_devres_lazy::as_rustc;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::{quote, ToTokens};
use syn::{
    ext::IdentExt,
    visit_mut::{self, VisitMut},
    Attribute, Block, File, Item, ItemMod, ItemUse, Meta, Path, Stmt, UseTree,
};

/// The name of the attribute.
const ATTRIBUTE: &str = "devres_lazy";

/// The treatment of annotated items.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Annotated {
    Expanded,
    Left,
}

/// A file as rustc reads it, without what the lexer does not know of; and its tokens.
pub(crate) fn ours(text: &str) -> (String, TokenStream) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut text = text.replace("\r\n", "\n");
    // A line for the system, unless an attribute begins here.
    if text.starts_with("#!") && !without_comments(&text[2..]).starts_with('[') {
        let end = text.find('\n').unwrap_or(text.len());
        text.replace_range(..end, &" ".repeat(end));
    }

    let tokens = text
        .parse()
        .unwrap_or_else(|error| panic!("{text}\n-- no tokens: {error}"));
    (text, tokens)
}

/// The meaning of a file. Imports of the attribute are not part of it.
pub(crate) fn program(text: &str, annotated: Annotated) -> TokenStream {
    let (_, tokens) = ours(text);
    let mut file = parsed(tokens);
    let mut expand = Expand {
        is_done: annotated == Annotated::Left,
    };
    while !expand.is_done {
        expand.is_done = true;
        expand.visit_file_mut(&mut file);
        if !expand.is_done {
            file = parsed(file.into_token_stream());
        }
    }
    OneByOne.visit_file_mut(&mut file);

    file.into_token_stream()
}

/// The tokens of a program, one by one.
pub(crate) fn flat(program: TokenStream) -> Vec<String> {
    fn collect(tokens: TokenStream, all: &mut Vec<String>) {
        for token in tokens {
            let TokenTree::Group(group) = token else {
                all.push(token.to_string());
                continue;
            };
            let (open, close) = match group.delimiter() {
                Delimiter::Parenthesis => ("(", ")"),
                Delimiter::Brace => ("{", "}"),
                Delimiter::Bracket => ("[", "]"),
                Delimiter::None => ("", ""),
            };
            all.push(open.to_owned());
            collect(group.stream(), all);
            all.push(close.to_owned());
        }
    }

    let mut all = Vec::new();
    collect(program, &mut all);
    all.retain(|token| !token.is_empty());
    all
}

fn parsed(tokens: TokenStream) -> File {
    let text = || tokens.to_string();

    syn::parse2(tokens.clone()).unwrap_or_else(|error| panic!("{}\nno items: {error}", text()))
}

/// Expands annotated items, those that are in no other one.
struct Expand {
    /// Whether there are none.
    is_done: bool,
}

impl VisitMut for Expand {
    fn visit_item_mut(&mut self, item: &mut Item) {
        let attrs = match item {
            Item::Struct(item) => &mut item.attrs,
            Item::Impl(item) => &mut item.attrs,
            _ => return visit_mut::visit_item_mut(self, item),
        };
        let Some(at) = attrs.iter().position(is_attribute) else {
            return visit_mut::visit_item_mut(self, item);
        };
        let args = match attrs.remove(at).meta {
            Meta::List(list) => list.tokens,
            _ => TokenStream::new(),
        };

        let expansion = as_rustc(args, item.to_token_stream());
        *item = Item::Verbatim(expansion);
        self.is_done = false;
    }
}

fn is_attribute(attr: &Attribute) -> bool {
    attr.path()
        .segments
        .last()
        .is_some_and(|last| last.ident == ATTRIBUTE)
}

/// Writes imports one by one, without the attribute's.
struct OneByOne;

impl VisitMut for OneByOne {
    fn visit_file_mut(&mut self, file: &mut File) {
        one_by_one(&mut file.items);
        visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, item: &mut ItemMod) {
        if let Some((_, items)) = &mut item.content {
            one_by_one(items);
        }
        visit_mut::visit_item_mod_mut(self, item);
    }

    fn visit_block_mut(&mut self, block: &mut Block) {
        let stmts = std::mem::take(&mut block.stmts);
        block.stmts = stmts
            .into_iter()
            .flat_map(|stmt| match stmt {
                Stmt::Item(Item::Use(item)) => leaves(&item).into_iter().map(Stmt::Item).collect(),
                stmt => vec![stmt],
            })
            .collect();
        visit_mut::visit_block_mut(self, block);
    }
}

fn one_by_one(items: &mut Vec<Item>) {
    *items = std::mem::take(items)
        .into_iter()
        .flat_map(|item| match item {
            Item::Use(item) => leaves(&item),
            item => vec![item],
        })
        .collect();
}

/// The imports of an item, except the attribute, each as an item of its own.
fn leaves(item: &ItemUse) -> Vec<Item> {
    let mut paths = Vec::new();
    collect(&item.tree, &TokenStream::new(), &mut paths);
    // The printer may sort them.
    paths.sort_by_cached_key(ToString::to_string);

    let ItemUse {
        attrs,
        vis,
        leading_colon,
        ..
    } = item;
    // The printer puts an `allow` on an import that only the attribute has used.
    let attrs: Vec<_> = attrs.iter().filter(|attr| !is_allow(attr)).collect();
    paths
        .into_iter()
        .map(|path| Item::Verbatim(quote!(#(#attrs)* #vis use #leading_colon #path;)))
        .collect()
}

/// Whether this is `#[allow(unused_imports)]`.
fn is_allow(attr: &Attribute) -> bool {
    let lint = || {
        attr.parse_args::<Path>()
            .is_ok_and(|lint| lint.is_ident("unused_imports"))
    };

    attr.path().is_ident("allow") && lint()
}

fn collect(tree: &UseTree, before: &TokenStream, paths: &mut Vec<TokenStream>) {
    match tree {
        UseTree::Path(path) => {
            let name = &path.ident;
            collect(&path.tree, &quote!(#before #name::), paths);
        }
        UseTree::Group(group) => {
            for item in &group.items {
                collect(item, before, paths);
            }
        }
        UseTree::Name(name) if name.ident.unraw() == ATTRIBUTE => (),
        UseTree::Name(_) | UseTree::Rename(_) | UseTree::Glob(_) => {
            paths.push(quote!(#before #tree))
        }
    }
}
