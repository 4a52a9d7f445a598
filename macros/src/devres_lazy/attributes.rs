// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The author's attributes, and which of them belong on generated code.
//!
//! Rustc evaluates `cfg` and `cfg_attr` of the annotated item before the macro sees it. Those of a
//! field are still there, and in a file that is printed all of them are. So every question here is
//! asked of the attributes in a `cfg_attr` too, and the answer keeps the condition.

use proc_macro2::TokenStream;
use quote::{
    quote,
    ToTokens, //
};
use syn::{
    parse_quote,
    punctuated::Punctuated,
    Attribute,
    Expr,
    Lit,
    Meta,
    Path,
    Token, //
};

type Metas = Punctuated<Meta, Token![,]>;

/// Whether `found` holds for an attribute that a `cfg_attr` puts on the item, or for `meta` itself.
fn leaves(meta: &Meta, found: &mut dyn FnMut(&Meta) -> bool) -> bool {
    match conditional(meta) {
        Some((_, metas)) => metas.iter().any(|meta| leaves(meta, found)),
        None => found(meta),
    }
}

/// The condition of a `cfg_attr`, and the attributes that depend on it.
fn conditional(meta: &Meta) -> Option<(Meta, Vec<Meta>)> {
    let Meta::List(list) = meta else {
        return None;
    };
    if !list.path.is_ident("cfg_attr") {
        return None;
    }

    let metas = list.parse_args_with(Metas::parse_terminated).ok()?;
    let mut metas = metas.into_iter();
    Some((metas.next()?, metas.collect()))
}

/// Whether `is` holds for the attribute, or for one that a `cfg_attr` makes.
pub(crate) fn any(attr: &Attribute, mut is: impl FnMut(&Meta) -> bool) -> bool {
    leaves(&attr.meta, &mut is)
}

/// Whether `is` holds for the attribute, or for all that a `cfg_attr` makes.
pub(crate) fn all(attr: &Attribute, mut is: impl FnMut(&Meta) -> bool) -> bool {
    !leaves(&attr.meta, &mut |meta| !is(meta))
}

/// Replaces what `replace` returns something for, with the conditions kept. [`None`] if there is no
/// such attribute.
fn map(meta: &Meta, replace: &dyn Fn(&Meta) -> Option<Meta>) -> Option<Meta> {
    let Some((condition, metas)) = conditional(meta) else {
        return replace(meta);
    };
    let metas: Vec<_> = metas.iter().filter_map(|meta| map(meta, replace)).collect();

    (!metas.is_empty()).then(|| parse_quote!(cfg_attr(#condition, #(#metas),*)))
}

/// The attributes that `choose` makes of some of those.
fn chosen(attrs: &[Attribute], choose: &dyn Fn(&Meta) -> Option<Meta>) -> Vec<Attribute> {
    attrs
        .iter()
        .filter_map(|attr| {
            let meta = map(&attr.meta, choose)?;
            Some(Attribute {
                meta,
                ..attr.clone()
            })
        })
        .collect()
}

/// Replaces the attributes that `replace` returns something for.
pub(crate) fn replace(attrs: &mut Vec<Attribute>, replace: &dyn Fn(&Meta) -> Option<Meta>) {
    rewrite(attrs, &|meta| replace(meta).is_some(), replace);
}

/// Replaces the attributes that `is_meant` holds for by the result of `rewrite`, or removes them. A
/// `cfg_attr` without such attributes stays as it is written.
fn rewrite(
    attrs: &mut Vec<Attribute>,
    is_meant: &dyn Fn(&Meta) -> bool,
    rewrite: &dyn Fn(&Meta) -> Option<Meta>,
) {
    attrs.retain_mut(|attr| {
        if !any(attr, is_meant) {
            return true;
        }

        let rewritten = map(&attr.meta, &|meta| {
            if is_meant(meta) {
                rewrite(meta)
            } else {
                Some(meta.clone())
            }
        });
        let is_left = rewritten.is_some();
        if let Some(meta) = rewritten {
            attr.meta = meta;
        }
        is_left
    });
}

/// The conditions under which the item is there at all.
pub(crate) fn conditions(attrs: &[Attribute]) -> Vec<Attribute> {
    chosen(attrs, &|meta| {
        meta.path().is_ident("cfg").then(|| meta.clone())
    })
}

/// The predicate that holds where all of the [`conditions`] do.
pub(crate) fn predicate(conditions: &[Attribute]) -> TokenStream {
    fn of(meta: &Meta) -> TokenStream {
        match (conditional(meta), meta) {
            (Some((condition, metas)), _) => {
                let predicates = metas.iter().map(of);
                quote!(any(not(#condition), all(#(#predicates),*)))
            }
            (None, Meta::List(cfg)) => cfg.tokens.clone(),
            // `#[cfg]` without a predicate, which rustc reports.
            (None, _) => quote!(all()),
        }
    }

    let predicates = conditions.iter().map(|attr| of(&attr.meta));
    quote!(all(#(#predicates),*))
}

/// The author's lint levels for generated code, which repeats names and types of the author's.
///
/// An `expect` becomes an `allow`, as the lint may fire in one place and not in another. `deny` and
/// `forbid` are left out: they are not about generated code.
pub(crate) fn lints(attrs: &[Attribute]) -> Vec<Attribute> {
    chosen(attrs, &|meta| {
        allowed(meta).or_else(|| is_named(meta.path(), &["allow", "warn"]).then(|| meta.clone()))
    })
}

/// Turns an `expect` into an `allow`.
pub(crate) fn allowed(meta: &Meta) -> Option<Meta> {
    match meta {
        Meta::List(list) if list.path.is_ident("expect") => {
            let lints = &list.tokens;
            Some(parse_quote!(allow(#lints)))
        }
        _ => None,
    }
}

/// Returns the attributes that make the item deprecated.
pub(crate) fn deprecations(attrs: &[Attribute]) -> Vec<Attribute> {
    chosen(attrs, &|meta| is_deprecation(meta).then(|| meta.clone()))
}

/// Removes the attributes that make an item deprecated.
pub(crate) fn undeprecate(attrs: &mut Vec<Attribute>) {
    rewrite(attrs, &is_deprecation, &|_| None);
}

fn is_deprecation(meta: &Meta) -> bool {
    meta.path().is_ident("deprecated")
}

/// The author's documentation of the item.
pub(crate) fn words(attrs: &[Attribute]) -> Vec<Attribute> {
    chosen(attrs, &|meta| is_word(meta).then(|| meta.clone()))
}

/// Whether this is a line of documentation.
pub(crate) fn is_word(meta: &Meta) -> bool {
    matches!(meta, Meta::NameValue(_)) && meta.path().is_ident("doc")
}

/// The author's other instructions to rustdoc, for a function of the item.
///
/// `hidden` and `cfg` are for all functions. An alias is for the `named` one, unless the alias is
/// its name already, which rustdoc refuses.
pub(crate) fn for_rustdoc(attrs: &[Attribute], named: Option<&str>) -> Vec<Attribute> {
    chosen(attrs, &|meta| {
        let Meta::List(list) = meta else {
            return None;
        };
        if !list.path.is_ident("doc") {
            return None;
        }

        let metas = list.parse_args_with(Metas::parse_terminated).ok()?;
        let kept: Vec<_> = metas
            .into_iter()
            .filter_map(|meta| match named {
                _ if is_named(meta.path(), &["hidden", "cfg"]) => Some(meta.into_token_stream()),
                Some(name) if meta.path().is_ident("alias") => alias(&meta, name),
                _ => None,
            })
            .collect();
        (!kept.is_empty()).then(|| parse_quote!(doc(#(#kept),*)))
    })
}

/// `alias = ".."` or `alias(".." , ..)` without `name`.
fn alias(meta: &Meta, name: &str) -> Option<TokenStream> {
    let is_other = |lit: &Lit| matches!(lit, Lit::Str(alias) if alias.value() != name);

    match meta {
        Meta::NameValue(pair) => match &pair.value {
            Expr::Lit(alias) if is_other(&alias.lit) => Some(meta.to_token_stream()),
            _ => None,
        },
        Meta::List(list) => {
            let aliases = list
                .parse_args_with(Punctuated::<Lit, Token![,]>::parse_terminated)
                .ok()?;
            let others: Vec<_> = aliases.iter().filter(|alias| is_other(alias)).collect();
            (!others.is_empty()).then(|| quote!(alias(#(#others),*)))
        }
        Meta::Path(_) => None,
    }
}

fn is_named(path: &Path, names: &[&str]) -> bool {
    names.iter().any(|name| path.is_ident(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(tokens: impl ToTokens) -> String {
        tokens.to_token_stream().to_string().replace(' ', "")
    }

    fn texts(attrs: &[Attribute]) -> Vec<String> {
        attrs.iter().map(text).collect()
    }

    #[test]
    fn all_of_a_cfg_attr_count() {
        let is_allow = |meta: &Meta| meta.path().is_ident("allow");
        let all = |attr: Attribute| super::all(&attr, is_allow);

        assert!(all(parse_quote!(#[allow(unused)])));
        assert!(all(
            parse_quote!(#[cfg_attr(a, allow(b), cfg_attr(c, allow(d)))])
        ));
        assert!(!all(
            parse_quote!(#[cfg_attr(a, allow(b), cfg_attr(c, nightly))])
        ));
    }

    #[test]
    fn predicates_are_those_of_the_conditions() {
        let attrs: [Attribute; 4] = [
            parse_quote!(#[cfg(a)]),
            parse_quote!(#[cfg_attr(b, allow(unused))]),
            parse_quote!(#[cfg_attr(c, cfg(d), cfg_attr(e, cfg(f)))]),
            parse_quote!(#[cfg]),
        ];

        assert_eq!(
            text(predicate(&conditions(&attrs))),
            "all(a,any(not(c),all(d,any(not(e),all(f)))),all())"
        );
    }

    #[test]
    fn expectations_are_allowed() {
        let attrs: [Attribute; 4] = [
            parse_quote!(#[expect(unused, reason = "r")]),
            parse_quote!(#[cfg_attr(a, expect(b), warn(c), deny(d))]),
            parse_quote!(#[forbid(unused)]),
            parse_quote!(#[inline(always)]),
        ];

        assert_eq!(
            texts(&lints(&attrs)),
            [
                "#[allow(unused,reason=\"r\")]",
                "#[cfg_attr(a,allow(b),warn(c))]"
            ]
        );
    }

    #[test]
    fn aliases_are_other_names() {
        let attrs: [Attribute; 6] = [
            parse_quote!(#[doc = "A table."]),
            parse_quote!(#[doc(hidden, alias = "table")]),
            parse_quote!(#[doc(alias = "ring", keyword = "ring")]),
            parse_quote!(#[doc(alias("table", "list"))]),
            parse_quote!(#[doc(alias("table"))]),
            parse_quote!(#[other(alias = "ring")]),
        ];

        assert_eq!(
            texts(&for_rustdoc(&attrs, Some("table"))),
            [
                "#[doc(hidden)]",
                "#[doc(alias=\"ring\")]",
                "#[doc(alias(\"list\"))]"
            ]
        );
        assert_eq!(texts(&for_rustdoc(&attrs, None)), ["#[doc(hidden)]"]);
    }
}
