// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Tokens that several parts of an expansion have in common.

use super::super::{
    attributes,
    model::Owner, //
};
use proc_macro2::{
    Span,
    TokenStream, //
};
use quote::{
    quote,
    ToTokens, //
};

/// Returns the tokens with another place, for rustc to point at. They mean the same, `$crate` too.
pub(super) fn tokens_at(tokens: &impl ToTokens, span: Span) -> TokenStream {
    tokens
        .to_token_stream()
        .into_iter()
        .map(|mut token| {
            token.set_span(token.span().located_at(span));
            token
        })
        .collect()
}

/// Returns the attributes of an item beside the struct. The item exists where the struct does, and
/// names it.
pub(super) fn beside(model: &Owner<'_>) -> TokenStream {
    let Owner { cfgs, lints, .. } = model;
    let deprecations = attributes::deprecations(&model.item.attrs);
    let allow = (!deprecations.is_empty())
        .then(|| quote!(#[allow(deprecated, reason = "the struct itself is")]));

    quote!(#(#cfgs)* #(#lints)* #allow)
}
