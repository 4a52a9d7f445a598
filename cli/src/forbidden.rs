// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `unsafe` code in an expansion, in a place that forbids it.
//!
//! Rustc does not apply `unsafe_code` to what a macro writes. In print it does.

use crate::{
    devres_lazy::attributes,
    find::{attributes as attributes_of, Annotated},
    report::Diagnostic,
    source::Source,
};
use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{
    spanned::Spanned,
    visit::{self, Visit},
    Attribute, File, Item, Meta,
};

/// The lint against `unsafe`.
const LINT: &str = "unsafe_code";

/// Complains if the item expands to `unsafe` code that the file around it forbids.
pub(crate) fn complaint(
    source: &Source,
    file: &File,
    annotated: &Annotated,
    expansion: &TokenStream,
) -> Option<Diagnostic> {
    let [before, after] = [&annotated.item, expansion].map(|tokens| count_unsafe(tokens.clone()));
    if after <= before {
        return None;
    }

    let mut levels = Levels {
        annotated,
        innermost: level(&file.attrs),
    };
    levels.visit_file(file);
    match levels.innermost? {
        (Level::Forbidden, span) => {
            let message = format!(
                "`{}` expands to `unsafe` code, which this forbids",
                annotated.name
            );
            let help = "rustc does not ask this of what a macro writes: leave `#[devres_lazy]` as \
                        it is in this file, or take this away";
            Some(source.at(span, &message).help(help))
        }
        (Level::Allowed, _) => None,
    }
}

/// How often `unsafe` is among the tokens.
fn count_unsafe(tokens: TokenStream) -> usize {
    tokens
        .into_iter()
        .map(|token| match token {
            TokenTree::Group(group) => count_unsafe(group.stream()),
            TokenTree::Ident(ident) => usize::from(ident == "unsafe"),
            TokenTree::Punct(_) | TokenTree::Literal(_) => 0,
        })
        .sum()
}

/// The lint level that attributes set for `unsafe`.
#[derive(Clone, Copy)]
enum Level {
    Allowed,
    /// An error, by `forbid` or `deny`.
    Forbidden,
}

/// The level that attributes set, and where; the last one counts.
fn level(attrs: &[Attribute]) -> Option<(Level, Span)> {
    let mut level = None;
    for attr in attrs {
        attributes::any(attr, |meta| {
            level = of(meta).or(level);
            false
        });
    }

    level
}

/// The level that one attribute sets.
fn of(meta: &Meta) -> Option<(Level, Span)> {
    let Meta::List(list) = meta else {
        return None;
    };
    let is = |names: [&str; 2]| names.iter().any(|name| list.path.is_ident(name));
    let level = if is(["deny", "forbid"]) {
        Level::Forbidden
    } else if is(["allow", "expect"]) || list.path.is_ident("warn") {
        Level::Allowed
    } else {
        return None;
    };

    let lint = list
        .tokens
        .clone()
        .into_iter()
        .find_map(|token| match token {
            TokenTree::Ident(ident) if ident == LINT => Some(ident.span()),
            _ => None,
        })?;
    Some((level, lint))
}

/// Looks for the innermost level around an item, or on it.
struct Levels<'a> {
    annotated: &'a Annotated,
    innermost: Option<(Level, Span)>,
}

impl<'ast> Visit<'ast> for Levels<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let (range, wanted) = (item.span().byte_range(), &self.annotated.range);
        if range.start > wanted.start || range.end < wanted.end {
            return;
        }

        // Of its own levels, the expansion of an item carries those that let something pass.
        let is_it = range == *wanted;
        match attributes_of(&mut item.clone()).and_then(|attrs| level(attrs)) {
            Some((Level::Forbidden, _)) if is_it => (),
            Some(level) => self.innermost = Some(level),
            None => (),
        }
        visit::visit_item(self, item);
    }
}
