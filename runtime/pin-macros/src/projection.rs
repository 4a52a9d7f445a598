// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `project()` of a struct under `#[pin_data]`, and the struct that it returns: those of the
//! kernel's pin-init, which the published `pinned-init` lacks.

use crate::generics;
use proc_macro2::TokenStream;
use quote::{format_ident, quote, ToTokens};
use syn::{parse_quote, punctuated::Punctuated, Attribute, Field, ItemStruct, Meta, Token};

/// Expands to the projection of `item`. `replaced` replaces `Self`, which would mean another type
/// in the struct that is declared here.
pub(crate) fn expand(
    item: &ItemStruct,
    replaced: &dyn Fn(&dyn ToTokens) -> TokenStream,
) -> TokenStream {
    let ItemStruct {
        vis,
        ident,
        generics,
        fields,
        ..
    } = item;
    let (_, ty_generics, _) = generics.split_for_impl();
    let where_clause = replaced(&generics.where_clause);
    let impl_generics = replaced(&generics::of_impl(generics));
    let declared = replaced(&generics::declared(generics));
    let arguments = generics::arguments(generics);
    let projection = format_ident!("{ident}Projection");
    let doc = format!(" Pin-projections of [`{ident}`]");
    let (pinned, not_pinned): (Vec<_>, Vec<_>) = fields.iter().partition(|field| is_pinned(field));
    let (pinned, not_pinned) = (listed(&pinned), listed(&not_pinned));
    let lints = item.attrs.iter().filter(|attr| is_allow(attr));
    let allow = quote!(#(#lints)* #[allow(dead_code, deprecated, non_snake_case)]);

    let declarations = fields.iter().map(|field| {
        let Field { vis, ident, .. } = field;
        let (cfgs, ty) = (cfgs(field), replaced(&field.ty));
        let reference = quote!(&'__pin mut #ty);
        let reference = if is_pinned(field) {
            quote!(::core::pin::Pin<#reference>)
        } else {
            reference
        };

        quote!(#(#cfgs)* #vis #ident: #reference)
    });
    let values = fields.iter().map(|field| {
        let (cfgs, ident) = (cfgs(field), &field.ident);
        let reference = quote!(&mut this.#ident);
        // The field is structurally pinned.
        let reference = if is_pinned(field) {
            quote!(unsafe { ::core::pin::Pin::new_unchecked(#reference) })
        } else {
            reference
        };

        quote!(#(#cfgs)* #ident: #reference)
    });

    quote! {
        #[doc = #doc]
        #[doc(hidden)]
        #allow
        #vis struct #projection <'__pin, #declared>
        #where_clause
        {
            #(#declarations,)*
            ___pin_phantom_data: ::core::marker::PhantomData<&'__pin mut ()>,
        }

        #allow
        impl<#impl_generics> #ident #ty_generics
        #where_clause
        {
            /// Pin-projects all fields of `Self`.
            ///
            /// These fields are structurally pinned:
            #(#pinned)*
            ///
            /// These fields are **not** structurally pinned:
            #(#not_pinned)*
            #[inline]
            #vis fn project<'__pin>(
                self: ::core::pin::Pin<&'__pin mut Self>,
            ) -> #projection<'__pin, #arguments> {
                // Only fields that are not structurally pinned are lent as `&mut`.
                let this = unsafe { ::core::pin::Pin::get_unchecked_mut(self) };
                #projection {
                    #(#values,)*
                    ___pin_phantom_data: ::core::marker::PhantomData,
                }
            }
        }
    }
}

/// Whether a field is structurally pinned.
fn is_pinned(field: &Field) -> bool {
    field.attrs.iter().any(|attr| attr.path().is_ident("pin"))
}

fn is_allow(attr: &Attribute) -> bool {
    attr.path().is_ident("allow")
}

/// Lines of documentation with the names of fields, for those that are there.
fn listed(fields: &[&Field]) -> Vec<TokenStream> {
    let line = |field: &&Field| {
        let name = field.ident.as_ref()?;
        let line = format!(" - `{name}`");
        let doc = quote!(doc = #line);
        let doc = conditions(field).into_iter().fold(doc, |doc, condition| {
            quote!(cfg_attr(#condition, #doc)) //
        });
        Some(quote!(#[#doc]))
    };

    fields.iter().filter_map(line).collect()
}

/// The attributes of a field that say whether it is there.
fn cfgs(field: &Field) -> Vec<Attribute> {
    conditions(field)
        .into_iter()
        .map(|condition| parse_quote!(#[cfg(#condition)]))
        .collect()
}

/// The predicates of those attributes.
fn conditions(field: &Field) -> Vec<TokenStream> {
    field
        .attrs
        .iter()
        .flat_map(|attr| of_meta(&attr.meta))
        .collect()
}

/// The predicates of `cfg(..)`, and of those that a `cfg_attr(condition, cfg(..))` makes, which
/// hold where `condition` does not.
fn of_meta(meta: &Meta) -> Vec<TokenStream> {
    let Meta::List(list) = meta else {
        return Vec::new();
    };
    if list.path.is_ident("cfg") {
        return vec![list.tokens.clone()];
    }
    if !list.path.is_ident("cfg_attr") {
        return Vec::new();
    }

    let Ok(metas) = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) else {
        return Vec::new();
    };
    let mut metas = metas.iter();
    let condition = metas.next();
    metas
        .flat_map(of_meta)
        .map(|predicate| quote!(any(not(#condition), #predicate)))
        .collect()
}
