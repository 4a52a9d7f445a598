// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The model to tokens. Cannot fail, and holds no rule: the generated code is readable control
//! flow, on the types of the runtime.
//!
//! All paths are absolute. Locals that the author's expressions must not see have `mixed_site`
//! spans and names that no author chooses. `self` and `dev`, which the expressions may use, have
//! the span of the author's own `self`.

mod functions;
mod retire;
mod teardown;
mod tokens;
mod views;

use super::{
    attributes,
    borrowing::Borrowing,
    model::{
        Annotated,
        Destructor,
        Owner, //
    },
    parse,
    validate, //
};
use functions::Functions;
use proc_macro2::{
    Span,
    TokenStream, //
};
use quote::{
    quote,
    ToTokens, //
};
use std::iter;
use syn::{
    parse_quote,
    parse_quote_spanned,
    spanned::Spanned,
    visit_mut::VisitMut,
    Attribute,
    Ident,
    Item, //
};
use tokens::{
    beside,
    tokens_at, //
};

/// Expands an annotated item to the item itself and those beside it.
pub(crate) fn expand(model: &Annotated<'_>) -> (TokenStream, TokenStream) {
    match model {
        Annotated::Owner(model) => {
            let accessors = accessors(model);
            let views = views::views(model);
            let teardown = teardown::teardown(model);

            (owner_struct(model), quote!(#accessors #views #teardown))
        }
        Annotated::OwnDestructor(model) => teardown::own_destructor(model),
        Annotated::Expanded(item, _) => (item.to_token_stream(), TokenStream::new()),
        Annotated::Misplaced(item, _) => (without_lazy((*item).clone()), TokenStream::new()),
    }
}

/// The struct: each lazy field becomes a pinned slot.
fn owner_struct(model: &Owner<'_>) -> TokenStream {
    let krate = &model.krate;
    let mut item = model.item.clone();
    item.attrs.retain(|attr| !validate::is_ours(attr));
    attributes::replace(&mut item.attrs, &attributes::allowed);

    let too_late = matches!(model.destructor, Destructor::TooLate(_));
    if model.destructor == Destructor::Generated {
        // `#[pin_data]` has to know that there is a destructor.
        attributes::replace(&mut item.attrs, &|meta| {
            let path = meta.path();
            validate::is_pin_data(meta).then(|| parse_quote!(#path(PinnedDrop)))
        });
        let has_pin_data = |attr| attributes::any(attr, validate::is_pin_data);
        if !item.attrs.iter().any(has_pin_data) {
            item.attrs
                .push(parse_quote!(#[#krate::prelude::pin_data(PinnedDrop)]));
        }
    }

    for (written, field) in iter::zip(&model.item.fields, &mut item.fields) {
        let is_lazy = |attr: &Attribute| parse::is_lazy(attr) || parse::hides_lazy(attr);
        if !field.attrs.iter().any(is_lazy) {
            continue;
        }

        field.attrs.retain(|attr| !is_lazy(attr));
        attributes::undeprecate(&mut field.attrs);
        attributes::replace(&mut field.attrs, &attributes::allowed);
        if too_late {
            // `#[pin_data]` has used the field's type already.
            continue;
        }
        if !field.attrs.iter().any(|attr| attr.path().is_ident("pin")) {
            field.attrs.push(parse_quote!(#[pin]));
        }
        let resource = &field.ty;
        let slot = model.slots.iter().find(|slot| slot.is(written));
        // If it is not a resource, rustc points at what the author has written.
        let here = Span::call_site().located_at(resource.span());
        let krate = tokens_at(krate, here);
        // One that cannot be read was reported.
        let borrowing = Borrowing::of(resource).ok().flatten();
        let stored = borrowing.as_ref().map_or(resource, |it| &it.family);
        let mut slot_type = match (slot, &borrowing) {
            (Some(slot), _) => slot.slot_type(),
            (None, Some(_)) => Ident::new("LazyLt", here),
            (None, None) => Ident::new("Lazy", here),
        };
        slot_type.set_span(here);
        field.ty = parse_quote_spanned!(here=> #krate::devres::#slot_type<#stored>);
    }

    item.into_token_stream()
}

/// The accessors of all slots.
fn accessors(model: &Owner<'_>) -> TokenStream {
    let name = &model.item.ident;
    let (impl_generics, ty_generics, where_clause) = model.item.generics.split_for_impl();
    let functions = model
        .slots
        .iter()
        .map(|slot| Functions::new(model, slot).all());
    let attrs = beside(model);

    quote! {
        #attrs
        impl #impl_generics #name #ty_generics #where_clause {
            #(#functions)*
        }
    }
}

/// The item without what needs the attribute, for when that does not belong on it.
fn without_lazy(mut item: Item) -> TokenStream {
    struct Strip;

    impl VisitMut for Strip {
        fn visit_attributes_mut(&mut self, attrs: &mut Vec<Attribute>) {
            attrs.retain(|attr| !parse::is_lazy(attr) && !validate::is_pin_data(&attr.meta));
        }
    }

    Strip.visit_item_mut(&mut item);
    item.into_token_stream()
}
