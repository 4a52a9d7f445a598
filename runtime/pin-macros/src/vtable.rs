// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `#[vtable]`: constants that say which of a trait's functions a driver implements.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, ToTokens};
use std::collections::HashSet;
use syn::{parse_quote, Error, Ident, ImplItem, Item, ItemImpl, ItemTrait, Result, TraitItem};

pub(crate) fn expand(item: TokenStream) -> Result<TokenStream> {
    match syn::parse2(item)? {
        Item::Trait(item) => Ok(on_trait(item).into_token_stream()),
        Item::Impl(item) => Ok(on_impl(item).into_token_stream()),
        item => Err(Error::new_spanned(
            item,
            "`#[vtable]` belongs on a trait or on an implementation of one",
        )),
    }
}

/// The constant of a function.
fn has(function: &Ident) -> Ident {
    format_ident!(
        "HAS_{}",
        function.to_string().trim_start_matches("r#").to_uppercase()
    )
}

fn on_trait(mut item: ItemTrait) -> ItemTrait {
    let mut new: Vec<TraitItem> = vec![parse_quote! {
        /// Shows that `#[vtable]` is on the implementation.
        const USE_VTABLE_ATTR: ();
    }];
    for function in &item.items {
        if let TraitItem::Fn(function) = function {
            let name = &function.sig.ident;
            let has = has(name);
            let cfgs = cfgs(&function.attrs);
            let doc = format!("Whether `{name}()` is implemented.");
            new.push(parse_quote! {
                #(#cfgs)*
                #[doc = #doc]
                const #has: bool = false;
            });
        }
    }

    item.items.extend(new);
    item
}

fn on_impl(mut item: ItemImpl) -> ItemImpl {
    let defined: HashSet<Ident> = item
        .items
        .iter()
        .filter_map(|item| match item {
            ImplItem::Const(item) => Some(item.ident.clone()),
            _ => None,
        })
        .collect();

    let mut new: Vec<ImplItem> = vec![parse_quote! { const USE_VTABLE_ATTR: () = (); }];
    for function in &item.items {
        if let ImplItem::Fn(function) = function {
            let has = has(&function.sig.ident);
            let cfgs = cfgs(&function.attrs);
            if !defined.contains(&has) {
                new.push(parse_quote! {
                    #(#cfgs)*
                    const #has: bool = true;
                });
            }
        }
    }

    item.items.extend(new);
    item
}

/// The conditions that a function is compiled under, which its constant has as well.
fn cfgs(attrs: &[syn::Attribute]) -> Vec<TokenStream> {
    attrs
        .iter()
        .filter(|attr| attr.path().is_ident("cfg"))
        .map(|attr| quote!(#attr))
        .collect()
}
