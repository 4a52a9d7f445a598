// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The annotated items of a file.

use crate::{
    devres_lazy::{
        diagnostics::Errors,
        parse::{self, Value},
    },
    report::Diagnostic,
    source::Source,
};
use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::ToTokens;
use std::ops::Range;
use syn::{
    ext::IdentExt,
    spanned::Spanned,
    visit::{self, Visit},
    Attribute, File, Item, ItemStruct, Macro, Meta, Path, Type,
};

/// The name of the attribute.
pub(crate) const ATTRIBUTE: &str = "devres_lazy";

/// The name of the crate that it is in, on the host and in the kernel.
pub(crate) const RUNTIME: &str = "kernel";

/// An item with `#[devres_lazy ..]` on it.
pub(crate) struct Annotated {
    /// Of the struct, or of the type whose destructor it is.
    pub(crate) name: String,
    /// Where the attribute stands.
    attr: Range<usize>,
    /// The range of the attribute's path.
    pub(crate) attr_path: Range<usize>,
    /// The tokens in the attribute's parentheses.
    pub(crate) args: TokenStream,
    /// The item without the attribute.
    pub(crate) item: TokenStream,
    /// The range of the item, with its attributes.
    pub(crate) range: Range<usize>,
}

impl Annotated {
    /// The path of the runtime.
    pub(crate) fn runtime(&self) -> String {
        // The expansion reports its errors.
        match parse::args(self.args.clone(), &mut Errors::default()).krate {
            Some(krate) => {
                let names: Vec<_> = krate
                    .segments
                    .iter()
                    .map(|it| it.ident.to_string())
                    .collect();
                names.join("::")
            }
            None => RUNTIME.to_owned(),
        }
    }

    /// Where the annotations of its fields stand, and the expressions in those.
    pub(crate) fn values(&self) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
        let (mut annotations, mut expressions) = (Vec::new(), Vec::new());
        let Ok(item) = syn::parse2::<ItemStruct>(self.item.clone()) else {
            // A destructor has none.
            return (annotations, expressions);
        };

        for field in &item.fields {
            let attrs = field.attrs.iter().filter(|attr| parse::is_lazy(attr));
            annotations.extend(attrs.map(|attr| attr.span().byte_range()));
            // The expansion reports its errors.
            let attr = parse::lazy_attr(field, &mut Errors::default());
            for entry in attr.map(|attr| attr.entries).unwrap_or_default() {
                if let Value::Device(expr) | Value::Init(expr) = entry.value {
                    expressions.push(expr.span().byte_range());
                }
            }
        }
        (annotations, expressions)
    }
}

/// The uses of the attribute in a file.
#[derive(Default)]
pub(crate) struct Found {
    /// In order; a nested item follows the item that it is in.
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
        .is_some_and(|segment| segment.ident.unraw() == ATTRIBUTE)
}

/// Collects what there is.
#[derive(Default)]
struct Finder {
    found: Found,
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

        if let Some(attr) = attr {
            self.found.items.push(Annotated {
                name: name(item),
                attr: attr.span().byte_range(),
                attr_path: attr.path().span().byte_range(),
                args: match attr.meta {
                    Meta::List(list) => list.tokens,
                    // Of these the second is not allowed, and complained about.
                    Meta::Path(_) | Meta::NameValue(_) => TokenStream::new(),
                },
                item: bare.to_token_stream(),
                range: item.span().byte_range(),
            });
        }
        visit::visit_item(self, item);
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
        if let Some((span, why)) = in_macro(mac.tokens.clone()) {
            self.found.unreachable.push((span, why));
        }
    }
}

/// Whether this is the attribute's name.
fn is_name(token: TokenTree) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident.unraw() == ATTRIBUTE)
}

/// Where there is something like an annotation among the tokens of a macro.
fn in_macro(tokens: TokenStream) -> Option<(Span, &'static str)> {
    let mut is_attribute = false;
    for token in tokens {
        if let TokenTree::Group(group) = &token {
            if is_attribute && group.delimiter() == Delimiter::Bracket {
                if group.stream().into_iter().any(is_name) {
                    return Some((
                        group.span(),
                        "`#[devres_lazy]` inside a macro cannot be expanded: what it stands on is \
                         known to rustc only",
                    ));
                }
                if is_annotation(group.stream()) {
                    return Some((
                        group.span(),
                        "`#[lazy(..)]` inside a macro cannot be expanded: the `#[devres_lazy]` \
                         that it belongs to is known to rustc only",
                    ));
                }
            }
            if let Some(found) = in_macro(group.stream()) {
                return Some(found);
            }
        }
        is_attribute = matches!(&token, TokenTree::Punct(pound) if pound.as_char() == '#');
    }

    None
}

/// Whether this is `lazy(.. fn ..)`.
pub(crate) fn is_annotation(attr: TokenStream) -> bool {
    let mut tokens = attr.into_iter();
    let is_lazy = matches!(tokens.next(), Some(TokenTree::Ident(ident)) if ident == "lazy");

    match tokens.next() {
        Some(TokenTree::Group(args)) if is_lazy => args
            .stream()
            .into_iter()
            .any(|token| matches!(token, TokenTree::Ident(ident) if ident == "fn")),
        _ => false,
    }
}

/// The name that messages and `--item` use for the item.
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
pub(crate) fn attributes(item: &mut Item) -> Option<&mut Vec<Attribute>> {
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
