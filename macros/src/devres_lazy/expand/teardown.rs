// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Teardown: the owner's destructor retires its slots first, whether the macro or the author writes
//! it.

use super::{
    super::{
        attributes,
        model::{
            Destructor,
            OwnDestructor,
            Owner, //
        },
        validate,
    },
    retire::{
        self,
        Retired, //
    },
    tokens::beside, //
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

/// Generates the code that makes the owner's destructor retire its slots first.
pub(super) fn teardown(model: &Owner<'_>) -> TokenStream {
    let krate = &model.krate;
    let name = &model.item.ident;
    let (impl_generics, ty_generics, where_clause) = model.item.generics.split_for_impl();
    let Retired { this, body } = retire::all(model);
    let (assertion, destructor) = match model.destructor {
        Destructor::Author => (assertion(model), TokenStream::new()),
        Destructor::Generated => (TokenStream::new(), destructor(model)),
        Destructor::TooLate(_) => return TokenStream::new(),
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

        #destructor
    }
}

/// Asserts that the author's destructor begins with the teardown.
///
/// Not a bound of the trait, which structs implement that have nothing `unsafe` about them.
fn assertion(model: &Owner<'_>) -> TokenStream {
    let krate = &model.krate;
    // Rustc points at the struct.
    let here = Span::call_site().located_at(model.item.ident.span());
    let assert = quote_spanned!(here=> begins_with_teardown::<Self>());

    quote! {
        const fn begins_with_teardown<T>()
        where
            T: #krate::devres::TeardownFirst + ?::core::marker::Sized,
        {
        }
        #assert;
    }
}

/// The destructor that the author does not write.
fn destructor(model: &Owner<'_>) -> TokenStream {
    let krate = &model.krate;
    let name = &model.item.ident;
    let (impl_generics, ty_generics, where_clause) = model.item.generics.split_for_impl();
    let (this, teardown, promise) = if model.has_view() {
        let ty = quote!(#name #ty_generics);
        (
            quote!(mut self),
            quote!(<dyn #krate::devres::TeardownFirst>::teardown_first(&mut self)),
            teardown_first(krate, &model.item.generics, &ty, &beside(model)),
        )
    } else {
        (
            quote!(self),
            quote!(#krate::devres::LazyOwner::teardown(self)),
            TokenStream::new(),
        )
    };
    // `#[pinned_drop]` takes an `impl` without any attributes, other than those rustc takes away.
    let cfgs = &model.cfgs;

    quote! {
        #(#cfgs)*
        #[#krate::prelude::pinned_drop]
        impl #impl_generics PinnedDrop for #name #ty_generics #where_clause {
            fn drop(#this: ::core::pin::Pin<&mut Self>) {
                #teardown;
            }
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
) -> TokenStream {
    let (impl_generics, _, where_clause) = generics.split_for_impl();

    quote! {
        #attrs
        unsafe impl #impl_generics #krate::devres::TeardownFirst for #ty #where_clause {}
    }
}

/// Whether a statement declares items in its block, or may do so as a macro.
fn declares_items(stmt: &Stmt) -> bool {
    matches!(stmt, Stmt::Item(_) | Stmt::Macro(_))
}

/// Completes the author's destructor, which then begins with the teardown, and makes the promise
/// that it does.
pub(super) fn own_destructor(model: &OwnDestructor<'_>) -> (TokenStream, TokenStream) {
    let krate = &model.krate;
    let mut item: ItemImpl = model.item.clone();
    // Attributes that were reported are removed, so that they give no further messages. Ours is
    // among them.
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
        let teardown = Expr::Verbatim(quote! {
            <dyn #krate::devres::TeardownFirst>::teardown_first(&mut #this)
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
        let teardown = Stmt::Expr(teardown, Some(Default::default()));
        function.block.stmts.insert(0, teardown);
    }

    let cfgs = &model.cfgs;
    let lints = attributes::lints(&item.attrs);
    let attrs = quote!(#(#cfgs)* #(#lints)*);
    let promise = teardown_first(krate, &item.generics, &item.self_ty, &attrs);

    (item.into_token_stream(), promise)
}
