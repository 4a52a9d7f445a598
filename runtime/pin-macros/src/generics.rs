// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The generics of a type in the three forms that the `macro_rules!` of `pinned-init` take.

use proc_macro2::TokenStream;
use quote::{quote, ToTokens};
use syn::{punctuated::Punctuated, GenericParam, Generics, Token};

/// Parameters as a declaration has them, with bounds and defaults: `T: Clone = u8`.
pub(crate) fn declared(generics: &Generics) -> TokenStream {
    generics.params.to_token_stream()
}

/// Parameters as an `impl` has them, without defaults: `T: Clone`.
pub(crate) fn of_impl(generics: &Generics) -> TokenStream {
    let mut params = generics.params.clone();
    for param in &mut params {
        match param {
            GenericParam::Type(param) => {
                param.eq_token = None;
                param.default = None;
            }
            GenericParam::Const(param) => {
                param.eq_token = None;
                param.default = None;
            }
            GenericParam::Lifetime(_) => (),
        }
    }

    params.into_token_stream()
}

/// Parameters as arguments, names only: `T`.
pub(crate) fn arguments(generics: &Generics) -> TokenStream {
    let names: Punctuated<TokenStream, Token![,]> = generics
        .params
        .iter()
        .map(|param| match param {
            GenericParam::Lifetime(param) => param.lifetime.to_token_stream(),
            GenericParam::Type(param) => param.ident.to_token_stream(),
            GenericParam::Const(param) => param.ident.to_token_stream(),
        })
        .collect();

    quote!(#names)
}
