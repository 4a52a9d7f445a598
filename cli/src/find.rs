// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The annotated items of a file.

use crate::{
    report::Diagnostic,
    source::Source, //
};
use proc_macro2::{
    Delimiter,
    Span,
    TokenStream,
    TokenTree, //
};
use quote::ToTokens;
use std::ops::Range;
use syn::{
    spanned::Spanned,
    visit::{
        self,
        Visit, //
    },
    Attribute,
    File,
    Item,
    Macro,
    Meta,
    Path,
    Type, //
};

/// The name of the attribute.
pub(crate) const ATTRIBUTE: &str = "devres_lazy";

/// An item with `#[devres_lazy ..]` on it.
pub(crate) struct Annotated {
    /// Of the struct, or of the type whose destructor it is.
    pub(crate) name: String,
    /// Where the attribute stands.
    attr: Range<usize>,
    /// What is in the attribute's parentheses.
    pub(crate) args: TokenStream,
    /// The item without the attribute.
    pub(crate) item: TokenStream,
    /// Where it stands, with its attributes.
    pub(crate) range: Range<usize>,
}

/// What a file says about the attribute.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) items: Vec<Annotated>,
    /// Attributes that cannot be expanded, and why.
    pub(crate) unreachable: Vec<(Span, &'static str)>,
}

impl Found {
    /// Looks through a file.
    pub(crate) fn in_file(file: &File) -> Self {
        let mut finder = Finder::default();
        finder.visit_file(file);
        finder.found
    }

    /// The attributes that cannot be expanded, as messages.
    pub(crate) fn complaints(&self, source: &Source) -> Vec<Diagnostic> {
        self.unreachable
            .iter()
            .map(|&(span, why)| source.at(span, why))
            .collect()
    }
}

/// Whether this is the attribute, by whatever path.
pub(crate) fn is_attribute(path: &Path) -> bool {
    path.segments
        .last()
        .is_some_and(|segment| segment.ident == ATTRIBUTE)
}

/// Collects what there is.
#[derive(Default)]
struct Finder {
    found: Found,
    is_inside: bool,
}

impl Finder {
    /// Notes that an attribute cannot be expanded.
    fn complain(&mut self, attr: &Attribute, why: &'static str) {
        self.found.unreachable.push((attr.span(), why));
    }
}

impl<'a> Visit<'a> for Finder {
    fn visit_item(&mut self, item: &'a Item) {
        let mut bare = item.clone();
        let attr = attributes(&mut bare).and_then(|attrs| {
            let at = attrs.iter().position(|attr| is_attribute(attr.path()))?;
            Some(attrs.remove(at))
        });

        match attr {
            // It is visited as an attribute that is not expanded.
            Some(_) if self.is_inside => visit::visit_item(self, item),
            Some(attr) => {
                self.found.items.push(Annotated {
                    name: name(item),
                    attr: attr.span().byte_range(),
                    args: match attr.meta {
                        Meta::List(list) => list.tokens,
                        // Of these the second is not allowed, and complained about.
                        Meta::Path(_) | Meta::NameValue(_) => TokenStream::new(),
                    },
                    item: bare.to_token_stream(),
                    range: item.span().byte_range(),
                });
                self.is_inside = true;
                visit::visit_item(self, item);
                self.is_inside = false;
            }
            None => visit::visit_item(self, item),
        }
    }

    fn visit_attribute(&mut self, attr: &'a Attribute) {
        if is_attribute(attr.path()) {
            let range = attr.span().byte_range();
            if !self.found.items.iter().any(|item| item.attr == range) {
                self.complain(
                    attr,
                    "`#[devres_lazy]` belongs on a struct or its destructor, once, and not on what \
                     is in one",
                );
            } else if let Meta::NameValue(_) = attr.meta {
                self.complain(attr, "expected `#[devres_lazy]` or `#[devres_lazy(..)]`");
            }
        }

        if let (true, Meta::List(list)) = (attr.path().is_ident("cfg_attr"), &attr.meta) {
            if list.tokens.clone().into_iter().any(is_name) {
                self.complain(
                    attr,
                    "`#[devres_lazy]` in a `cfg_attr` cannot be expanded: whether it is there is \
                     known to rustc only",
                );
            }
        }
    }

    fn visit_macro(&mut self, mac: &'a Macro) {
        if let Some(span) = in_macro(mac.tokens.clone()) {
            self.found.unreachable.push((
                span,
                "`#[devres_lazy]` inside a macro cannot be expanded: what it stands on is known to \
                 rustc only",
            ));
        }
    }
}

/// Whether this is the attribute's name.
fn is_name(token: TokenTree) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == ATTRIBUTE)
}

/// Where there is something like the attribute among the tokens of a macro.
fn in_macro(tokens: TokenStream) -> Option<Span> {
    let mut is_attribute = false;
    for token in tokens {
        if let TokenTree::Group(group) = &token {
            let here = is_attribute
                && group.delimiter() == Delimiter::Bracket
                && group.stream().into_iter().any(is_name);
            if here {
                return Some(group.span());
            }
            if let Some(span) = in_macro(group.stream()) {
                return Some(span);
            }
        }
        is_attribute = matches!(&token, TokenTree::Punct(pound) if pound.as_char() == '#');
    }

    None
}

/// What one would call the item.
fn name(item: &Item) -> String {
    let name = match item {
        Item::Struct(item) => Some(&item.ident),
        Item::Enum(item) => Some(&item.ident),
        Item::Union(item) => Some(&item.ident),
        Item::Fn(item) => Some(&item.sig.ident),
        Item::Mod(item) => Some(&item.ident),
        Item::Trait(item) => Some(&item.ident),
        Item::Type(item) => Some(&item.ident),
        Item::Impl(item) => match &*item.self_ty {
            Type::Path(ty) => ty.path.segments.last().map(|segment| &segment.ident),
            _ => None,
        },
        _ => None,
    };

    name.map(ToString::to_string).unwrap_or_default()
}

/// The attributes of an item.
fn attributes(item: &mut Item) -> Option<&mut Vec<Attribute>> {
    match item {
        Item::Const(item) => Some(&mut item.attrs),
        Item::Enum(item) => Some(&mut item.attrs),
        Item::ExternCrate(item) => Some(&mut item.attrs),
        Item::Fn(item) => Some(&mut item.attrs),
        Item::ForeignMod(item) => Some(&mut item.attrs),
        Item::Impl(item) => Some(&mut item.attrs),
        Item::Macro(item) => Some(&mut item.attrs),
        Item::Mod(item) => Some(&mut item.attrs),
        Item::Static(item) => Some(&mut item.attrs),
        Item::Struct(item) => Some(&mut item.attrs),
        Item::Trait(item) => Some(&mut item.attrs),
        Item::TraitAlias(item) => Some(&mut item.attrs),
        Item::Type(item) => Some(&mut item.attrs),
        Item::Union(item) => Some(&mut item.attrs),
        Item::Use(item) => Some(&mut item.attrs),
        _ => None,
    }
}
