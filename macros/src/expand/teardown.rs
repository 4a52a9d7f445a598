// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Teardown: the owner's destructor begins with retiring its slots, whoever writes it.

use super::super::{
    comments,
    model::{
        Destructor,
        OwnDestructor,
        Owner,
        Slot, //
    },
    notes::Notes,
};
use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    parse_quote,
    Expr,
    FnArg,
    ImplItem,
    ItemImpl,
    Stmt, //
};

/// What makes the owner's destructor begin with retiring its slots.
pub(super) fn teardown(model: &Owner<'_>, notes: &dyn Notes) -> TokenStream {
    let krate = &model.krate;
    let name = &model.item.ident;
    let (impl_generics, ty_generics, where_clause) = model.item.generics.split_for_impl();
    let retire = model.slots.iter().rev().map(|slot| {
        let Slot {
            cfgs, name: field, ..
        } = slot;
        quote! {
            #(#cfgs)*
            #krate::devres::Lazy::retire_field(
                ::core::pin::Pin::as_mut(&mut self),
                |owner: &Self| &owner.#field,
            );
        }
    });
    let empty_line = notes.empty_line();
    let destructor = match model.destructor {
        Destructor::Author => TokenStream::new(),
        Destructor::TooLate => return TokenStream::new(),
        Destructor::Generated => {
            let comment = notes.comment(comments::destructor());
            let teardown_first = notes.comment(comments::teardown_first());
            quote! {
                #empty_line
                #[#krate::prelude::pinned_drop]
                impl #impl_generics PinnedDrop for #name #ty_generics #where_clause {
                    fn drop(self: ::core::pin::Pin<&mut Self>) {
                        #comment
                        #krate::devres::LazyOwner::teardown(self);
                    }
                }

                #empty_line
                #teardown_first
                impl #impl_generics #krate::devres::TeardownFirst for #name #ty_generics
                #where_clause
                {
                }
            }
        }
    };
    let comment = notes.comment(comments::teardown(&model.slots));

    quote! {
        impl #impl_generics #krate::devres::LazyOwner for #name #ty_generics #where_clause {
            fn teardown(mut self: ::core::pin::Pin<&mut Self>) {
                #comment
                #(#retire)*
            }
        }

        #destructor
    }
}

/// Completes the author's destructor: it begins with the teardown.
pub(super) fn own_destructor(model: &OwnDestructor<'_>, notes: &dyn Notes) -> TokenStream {
    let krate = &model.krate;
    let mut item: ItemImpl = model.item.clone();

    for function in &mut item.items {
        let ImplItem::Fn(function) = function else {
            continue;
        };
        let Some(FnArg::Receiver(receiver)) = function.sig.inputs.first_mut() else {
            continue;
        };

        receiver.mutability = Some(parse_quote!(mut));
        let this = &receiver.self_token;
        let comment = notes.comment(comments::destructor());
        let empty_line = (!function.block.stmts.is_empty()).then(|| notes.empty_line());
        let teardown = Expr::Verbatim(quote! {
            #comment
            #krate::devres::LazyOwner::teardown(::core::pin::Pin::as_mut(&mut #this));
            #empty_line
        });
        function.block.stmts.insert(0, Stmt::Expr(teardown, None));
    }

    let ty = &item.self_ty;
    let (impl_generics, _, where_clause) = item.generics.split_for_impl();
    let (empty_line, teardown_first) = (
        notes.empty_line(),
        notes.comment(comments::teardown_first()),
    );

    quote! {
        #item

        #empty_line
        #teardown_first
        impl #impl_generics #krate::devres::TeardownFirst for #ty #where_clause {}
    }
}
