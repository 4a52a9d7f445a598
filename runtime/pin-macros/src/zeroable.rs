// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `#[derive(Zeroable)]`.

use crate::{generics, pinned_init};
use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    parse2, parse_quote, punctuated::Punctuated, Data, DeriveInput, Error, Fields, GenericParam,
    Generics, Ident, PredicateType, Result, Token, Type, TypeParamBound, WherePredicate,
};

/// Expands `#[derive(Zeroable)] item`.
pub(crate) fn expand(item: TokenStream) -> Result<TokenStream> {
    let mut item: DeriveInput = parse2(item)?;
    let pinned_init = pinned_init();
    let bound: TypeParamBound = parse_quote!(#pinned_init::Zeroable);
    let Generics {
        params,
        where_clause,
        ..
    } = &mut item.generics;
    for param in params {
        let GenericParam::Type(param) = param else {
            continue;
        };
        // Not in both places: Clippy reports bounds of a parameter that are in two.
        let bounds = where_clause
            .iter_mut()
            .flat_map(|clause| &mut clause.predicates)
            .find_map(|predicate| bounds_of(&param.ident, predicate))
            .unwrap_or(&mut param.bounds);
        bounds.insert(0, bound.clone());
    }

    let DeriveInput {
        attrs,
        vis,
        ident,
        generics,
        data,
    } = &item;
    let (kind, fields) = match data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => (quote!(struct), fields),
            Fields::Unnamed(_) | Fields::Unit => {
                return Err(Error::new_spanned(
                    ident,
                    "`#[derive(Zeroable)]` needs named fields",
                ));
            }
        },
        Data::Union(data) => (quote!(union), &data.fields),
        Data::Enum(_) => {
            return Err(Error::new_spanned(
                ident,
                "`#[derive(Zeroable)]` needs a struct or a union",
            ));
        }
    };
    let impl_generics = generics::of_impl(generics);
    let arguments = generics::arguments(generics);
    let where_clause = &generics.where_clause;

    Ok(quote! {
        #pinned_init::__derive_zeroable! {
            parse_input:
            @sig(#(#attrs)* #vis #kind #ident #where_clause),
            @impl_generics(#impl_generics),
            @ty_generics(#arguments),
            @body(#fields),
        }
    })
}

/// The bounds of the parameter `param` in a predicate that is about it.
fn bounds_of<'a>(
    param: &Ident,
    predicate: &'a mut WherePredicate,
) -> Option<&'a mut Punctuated<TypeParamBound, Token![+]>> {
    match predicate {
        WherePredicate::Type(PredicateType {
            bounded_ty: Type::Path(ty),
            bounds,
            ..
        }) if ty.path.is_ident(param) => Some(bounds),
        _ => None,
    }
}
