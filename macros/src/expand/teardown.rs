// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Teardown: the owner's destructor begins with retiring its slots, whoever writes it.

use super::{
    super::{
        attributes, comments,
        model::{
            Destructor,
            OwnDestructor,
            Owner, //
        },
        names::Names,
        notes::Notes,
        validate,
    },
    beside,
    retire::{
        self,
        Retired, //
    }, //
};
use proc_macro2::{
    Span,
    TokenStream, //
};
use quote::{
    quote,
    quote_spanned,
    ToTokens, //
};
use std::mem;
use syn::{
    parse_quote,
    Expr,
    ExprBlock,
    FnArg,
    Generics,
    ImplItem,
    ItemImpl,
    Path,
    Stmt, //
};

/// What makes the owner's destructor begin with retiring its slots.
pub(super) fn teardown(model: &Owner<'_>, names: &Names, notes: &dyn Notes) -> TokenStream {
    let krate = &model.krate;
    let name = &model.item.ident;
    let (impl_generics, ty_generics, where_clause) = model.item.generics.split_for_impl();
    let Retired { this, body } = retire::all(model, names, notes);
    let empty_line = notes.empty_line();
    let (assertion, destructor) = match model.destructor {
        Destructor::Author => (assertion(model, notes), TokenStream::new()),
        Destructor::Generated => (TokenStream::new(), destructor(model, notes)),
        Destructor::TooLate => return TokenStream::new(),
    };
    let attrs = beside(model);

    quote! {
        #attrs
        impl #impl_generics #krate::devres::LazyOwner for #name #ty_generics #where_clause {
            fn teardown(#this: ::core::pin::Pin<&mut Self>) {
                #assertion

                #body
            }
        }

        #empty_line
        #destructor
    }
}

/// Asserts that the author's destructor begins with the teardown.
///
/// Not a bound of the trait, which structs implement that have nothing `unsafe` about them.
fn assertion(model: &Owner<'_>, notes: &dyn Notes) -> TokenStream {
    let krate = &model.krate;
    // Rustc points at the struct.
    let here = Span::call_site().located_at(model.item.ident.span());
    let assert = quote_spanned!(here=> begins_with_teardown::<Self>());
    let comment = notes.comment(comments::assert_teardown_first());
    let empty_line = notes.empty_line();

    quote! {
        #comment
        const fn begins_with_teardown<T>()
        where
            T: #krate::devres::TeardownFirst + ?::core::marker::Sized,
        {
        }
        #assert;

        #empty_line
    }
}

/// The destructor that the author does not write.
fn destructor(model: &Owner<'_>, notes: &dyn Notes) -> TokenStream {
    let krate = &model.krate;
    let name = &model.item.ident;
    let (impl_generics, ty_generics, where_clause) = model.item.generics.split_for_impl();
    let comment = notes.comment(comments::destructor());
    let (drop, promise) = if model.has_view() {
        let empty_line = notes.empty_line();
        let promise = teardown_first(
            krate,
            &model.item.generics,
            &quote!(#name #ty_generics),
            &beside(model),
            notes,
        );
        let drop = quote! {
            fn drop(mut self: ::core::pin::Pin<&mut Self>) {
                #comment
                <dyn #krate::devres::TeardownFirst>::teardown_first(&mut self);
            }
        };
        (drop, quote!(#empty_line #promise))
    } else {
        let drop = quote! {
            fn drop(self: ::core::pin::Pin<&mut Self>) {
                #comment
                #krate::devres::LazyOwner::teardown(self);
            }
        };
        (drop, TokenStream::new())
    };

    // `#[pinned_drop]` takes an `impl` without any attributes, other than those rustc takes away.
    let cfgs = &model.cfgs;

    quote! {
        #(#cfgs)*
        #[#krate::prelude::pinned_drop]
        impl #impl_generics PinnedDrop for #name #ty_generics #where_clause {
            #drop
        }

        #promise
    }
}

/// The promise that the destructor of a type begins with the teardown.
///
/// The destructor calls `teardown_first()` by the same path. If that is another trait, this
/// promises nothing.
fn teardown_first(
    krate: &Path,
    generics: &Generics,
    ty: &impl ToTokens,
    attrs: &TokenStream,
    notes: &dyn Notes,
) -> TokenStream {
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let comment = notes.comment(comments::teardown_first());

    quote! {
        #comment
        #attrs
        unsafe impl #impl_generics #krate::devres::TeardownFirst for #ty #where_clause {}
    }
}

/// Whether a statement declares items in its block, or may do so as a macro.
fn declares_items(stmt: &Stmt) -> bool {
    matches!(stmt, Stmt::Item(_) | Stmt::Macro(_))
}

/// Completes the author's destructor: it begins with the teardown.
pub(super) fn own_destructor(model: &OwnDestructor<'_>, notes: &dyn Notes) -> TokenStream {
    let krate = &model.krate;
    let mut item: ItemImpl = model.item.clone();
    // Those that were reported give no further messages. Ours is among them.
    item.attrs
        .retain(|attr| attributes::all(attr, validate::may_stand_on_destructor));

    for function in &mut item.items {
        let ImplItem::Fn(function) = function else {
            continue;
        };
        let Some(FnArg::Receiver(receiver)) = function.sig.inputs.first_mut() else {
            continue;
        };

        // Another kind of receiver is left to rustc, which knows the trait.
        if receiver.reference.is_none() {
            receiver.mutability = Some(parse_quote!(mut));
        }
        let this = &receiver.self_token;
        let comment = notes.comment(comments::destructor());
        let empty_line = (!function.block.stmts.is_empty()).then(|| notes.empty_line());
        let teardown = Expr::Verbatim(quote! {
            #comment
            <dyn #krate::devres::TeardownFirst>::teardown_first(&mut #this);
            #empty_line
        });

        // Items that the author's block declares must not be in the scope of the teardown.
        if function.block.stmts.iter().any(declares_items) {
            let block = mem::replace(&mut function.block, parse_quote!({}));
            let block = ExprBlock {
                attrs: Vec::new(),
                label: None,
                block,
            };
            function.block.stmts.push(Stmt::Expr(block.into(), None));
        }
        function.block.stmts.insert(0, Stmt::Expr(teardown, None));
    }

    let empty_line = notes.empty_line();
    let cfgs = &model.cfgs;
    let lints = attributes::lints(&item.attrs);
    let attrs = quote!(#(#cfgs)* #(#lints)*);
    let promise = teardown_first(krate, &item.generics, &item.self_ty, &attrs, notes);

    quote! {
        #item

        #empty_line
        #promise
    }
}
