// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `#[derive(Zeroable)]`.

use crate::{
    generics,
    pinned_init, //
};
use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    parse2,
    parse_quote,
    Data,
    DeriveInput,
    Error,
    Fields,
    Result, //
};

/// Expands `#[derive(Zeroable)] item`.
pub(crate) fn expand(item: TokenStream) -> Result<TokenStream> {
    let mut item: DeriveInput = parse2(item)?;
    let pinned_init = pinned_init();
    for param in item.generics.type_params_mut() {
        param.bounds.insert(0, parse_quote!(#pinned_init::Zeroable));
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
