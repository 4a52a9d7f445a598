// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `#[pinned_drop]`.

use crate::pinned_init;
use proc_macro2::TokenStream;
use quote::{
    quote,
    ToTokens, //
};
use syn::{
    parse2,
    Error,
    ItemImpl,
    Result, //
};

/// Expands `#[pinned_drop] item`.
pub(crate) fn expand(item: TokenStream) -> Result<TokenStream> {
    let item: ItemImpl = parse2(item)?;
    let implements = match &item.trait_ {
        Some((None, path, _)) => path.is_ident("PinnedDrop"),
        _ => false,
    };
    if !implements {
        return Err(Error::new_spanned(
            &item.self_ty,
            "`#[pinned_drop]` needs an `impl PinnedDrop for` this type",
        ));
    }

    let pinned_init = pinned_init();
    let ItemImpl {
        attrs,
        impl_token,
        generics,
        self_ty,
        items,
        ..
    } = &item;
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let items = items.iter().map(ToTokens::to_token_stream);

    let implementation = quote! {
        #pinned_init::__pinned_drop! {
            @impl_sig(
                #impl_token #impl_generics #pinned_init::PinnedDrop for #self_ty #where_clause
            ),
            @impl_body(#(#items)*),
        }
    };
    if attrs.is_empty() {
        return Ok(implementation);
    }

    // `pinned-init` has no place for attributes of the `impl`, such as `#[cfg]` and `#[allow]`.
    Ok(quote! {
        #(#attrs)*
        const _: () = {
            #implementation
        };
    })
}
