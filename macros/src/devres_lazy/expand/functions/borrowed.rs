// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The parts of a slot's functions that differ if the resource borrows the bound device.

use super::{
    super::{
        super::{
            borrowing,
            diverge,
            hygiene,
            target, //
        },
        tokens_at, //
    },
    located,
    Functions, //
};
use proc_macro2::{
    Ident,
    Span,
    TokenStream, //
};
use quote::{
    quote,
    quote_spanned, //
};
use syn::{
    spanned::Spanned,
    Expr, //
};

impl Functions<'_> {
    /// The target behind a `&`, with the lifetime of the device that the caller passes.
    pub(super) fn borrowed_target(&self) -> TokenStream {
        target::referred(&borrowing::with_lifetime(self.slot.target(), &self.lt))
    }

    /// The call that returns the resource if it is there.
    pub(super) fn get_borrowed(&self) -> TokenStream {
        let Self {
            krate, this, dev, ..
        } = self;
        let field = self.slot.name;
        let lend = self.lend();

        quote!(#krate::devres::LazyLt::get_with(&#this.#field, #dev, #lend))
    }

    /// The code behind the check of the device in the slow path: finds the slot populated, or
    /// populates it.
    pub(super) fn populate_borrowed(&self, init: &Expr) -> TokenStream {
        let Self {
            krate,
            this,
            dev,
            local,
            ..
        } = self;
        let field = self.slot.name;
        let lent = self.lent();
        let here = Span::mixed_site().located_at(init.span());
        let initialiser = self.initialiser(init);
        let lend = self.lend();
        // Rustc points at the field's type where the resource lacks a bound.
        let at_type = self.at_type();
        let krate_at_type = tokens_at(krate, at_type);
        let populate = Ident::new("get_or_populate_with", at_type);
        let populate = quote_spanned!(at_type=> #krate_at_type::devres::LazyLt::#populate);
        let call = quote_spanned!(here=> #populate(&#this.#field, #dev, #initialiser, #lend));

        quote! {
            let #local = #call?;
            ::core::result::Result::Ok(#lent)
        }
    }

    /// The closure that makes the resource, for a device of any lifetime.
    fn initialiser(&self, expr: &Expr) -> TokenStream {
        let Self {
            krate, init, place, ..
        } = self;
        let here = Span::mixed_site().located_at(expr.span());
        let uses_dev = hygiene::has_variable(init.clone(), "dev");
        let dev = if uses_dev {
            let dev = &self.dev;
            quote!(#dev)
        } else {
            quote!(_)
        };
        let other_devs: Vec<_> = self.other_devs().collect();

        // Nothing is made, so nothing has a type.
        let (place, make) = if diverge::diverges(expr) {
            (quote!(_), quote!(#init))
        } else {
            let krate = tokens_at(krate, here);
            let make = quote_spanned!(here=> #krate::devres::PlaceLt::make);
            let made = if diverge::is_ok(expr) {
                // With the runtime's error, as nothing else says which one.
                quote_spanned!(here=> #make::<#krate::error::Error>(#place, #init))
            } else {
                quote_spanned!(here=> #make(#place, #init))
            };
            (quote!(#place), made)
        };

        if other_devs.is_empty() {
            quote_spanned!(here=> |#dev, #place| #make)
        } else {
            quote_spanned! {here=>
                |#dev, #place| {
                    #(#other_devs)*
                    #make
                }
            }
        }
    }

    /// The closure that compiles for covariant types only.
    fn lend(&self) -> TokenStream {
        let at_type = self.at_type();
        let local = located(&self.local, at_type);

        quote_spanned!(at_type=> |#local| #local)
    }
}
