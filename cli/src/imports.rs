// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Imports of the attribute, which nobody needs once every item is expanded.

use crate::find::ATTRIBUTE;
use proc_macro2::{
    TokenStream,
    TokenTree, //
};
use std::ops::Range;
use syn::{
    punctuated::Punctuated,
    spanned::Spanned,
    visit::{
        self,
        Visit, //
    },
    File,
    ItemUse,
    Token,
    UseTree,
    Visibility, //
};

/// The edits that take the attribute's imports out of a file, where nothing is left that uses them.
///
/// Only what `use some::devres_lazy;` imports is taken out, not what is imported for others.
pub(crate) fn edits(text: &str, tokens: TokenStream, file: &File) -> Vec<(Range<usize>, String)> {
    let mut imports = Imports {
        text,
        is_path: is_path(tokens),
        edits: Vec::new(),
    };
    imports.visit_file(file);

    imports.edits
}

/// Whether something is found through the name, as in `devres_lazy::device`.
fn is_path(tokens: TokenStream) -> bool {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let is_colon = |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':');

    tokens.iter().enumerate().any(|(at, token)| match token {
        TokenTree::Group(group) => is_path(group.stream()),
        TokenTree::Ident(ident) => {
            *ident == ATTRIBUTE
                && is_colon(tokens.get(at + 1))
                && is_colon(tokens.get(at + 2))
                && !(at > 0 && is_colon(tokens.get(at - 1)))
        }
        _ => false,
    })
}

struct Imports<'a> {
    text: &'a str,
    is_path: bool,
    edits: Vec<(Range<usize>, String)>,
}

impl<'a> Visit<'a> for Imports<'_> {
    fn visit_item_use(&mut self, item: &'a ItemUse) {
        if !matches!(item.vis, Visibility::Inherited) {
            return;
        }

        let range = item.span().byte_range();
        self.tree(&item.tree, None, range);
    }

    fn visit_file(&mut self, file: &'a File) {
        visit::visit_file(self, file);
    }
}

impl Imports<'_> {
    /// Takes the attribute out of a tree below the module `parent`, or the `whole` of it.
    fn tree(&mut self, tree: &UseTree, parent: Option<&str>, whole: Range<usize>) {
        match tree {
            UseTree::Path(path) => {
                self.tree(&path.tree, Some(&path.ident.to_string()), whole);
            }
            UseTree::Name(_) if self.is_import(tree, parent) => self.take_out(whole),
            UseTree::Group(group) => self.group(&group.items, parent, whole),
            UseTree::Name(_) | UseTree::Rename(_) | UseTree::Glob(_) => (),
        }
    }

    /// Whether this imports the attribute, and nothing that is needed beside it.
    fn is_import(&self, tree: &UseTree, parent: Option<&str>) -> bool {
        matches!(tree, UseTree::Name(name) if name.ident == ATTRIBUTE)
            // The crate of the same name is there without an import.
            && (parent == Some(ATTRIBUTE) || (parent.is_some() && !self.is_path))
    }

    /// Takes the attribute out of a list.
    fn group(
        &mut self,
        items: &Punctuated<UseTree, Token![,]>,
        parent: Option<&str>,
        whole: Range<usize>,
    ) {
        let Some(at) = items.iter().position(|item| self.is_import(item, parent)) else {
            for item in items {
                if let UseTree::Path(_) = item {
                    self.tree(item, parent, whole.clone());
                }
            }
            return;
        };

        let ranges: Vec<_> = items.iter().map(|item| item.span().byte_range()).collect();
        let own = ranges[at].clone();
        match (ranges.get(at + 1), at.checked_sub(1).map(|at| &ranges[at])) {
            // Up to the next one, with the comma.
            (Some(next), _) => self.edits.push((own.start..next.start, String::new())),
            // From behind the last one, with the comma, but without the one that may follow.
            (None, Some(last)) => self.edits.push((last.end..own.end, String::new())),
            (None, None) => self.take_out(whole),
        }
    }

    /// Takes out an item, with its line if there is nothing else on that.
    fn take_out(&mut self, item: Range<usize>) {
        let before = &self.text[..item.start];
        let line_start = before.trim_end_matches([' ', '\t']).len();
        let is_alone = line_start == 0 || before[..line_start].ends_with('\n');

        let range = match self.text[item.end..].strip_prefix('\n') {
            Some(_) if is_alone => line_start..item.end + 1,
            _ => item,
        };
        self.edits.push((range, String::new()));
    }
}
