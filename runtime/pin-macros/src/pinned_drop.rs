// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `#[pinned_drop]`.

use crate::{is_called, pinned_init};
use proc_macro2::TokenStream;
use quote::{quote, ToTokens};
use syn::{parse2, parse_quote, Error, ItemImpl, Result};

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

    if let Some(in_order) = in_order(&item) {
        return Ok(in_order);
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

/// The destructor with this attribute below `#[devres_lazy]`, where it has to stand, and the error
/// that says so. [`None`] if it does not stand above.
fn in_order(item: &ItemImpl) -> Option<TokenStream> {
    let below = item
        .attrs
        .iter()
        .find(|attr| is_called(attr, "devres_lazy"))?;
    let error = Error::new_spanned(
        below,
        "put `#[devres_lazy]` above `#[pinned_drop]`: it makes the destructor begin with the \
         teardown",
    );

    let mut item = item.clone();
    item.attrs
        .push(parse_quote!(#[::kernel::prelude::pinned_drop]));
    let error = error.into_compile_error();
    Some(quote!(#item #error))
}
