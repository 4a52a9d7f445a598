// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The views into the owner: one implementation of `HasView` for each marker.
//!
//! It is the one item that asks whether the marker implements `Map`. Where else rustc asks, it is at
//! the same place in the same words, which rustc then prints once.

use super::{
    super::{
        attributes, comments,
        model::{
            Owner,
            Slot, //
        },
        notes::Notes,
        target,
    },
    beside,
    tokens_at, //
};
use proc_macro2::{
    Span,
    TokenStream, //
};
use quote::{
    quote,
    quote_spanned, //
};
use syn::{
    spanned::Spanned,
    GenericArgument,
    PathArguments,
    Type, //
};

/// Where rustc points when the marker lacks something.
pub(super) fn at(marker: &Type) -> Span {
    Span::mixed_site().located_at(marker.span())
}

/// The implementations for all markers.
pub(super) fn views(model: &Owner<'_>, notes: &dyn Notes) -> TokenStream {
    let mut views: Vec<View<'_>> = Vec::new();
    for slot in &model.slots {
        let Some(marker) = marker(slot) else {
            continue;
        };
        match views
            .iter_mut()
            .find(|view| target::is_same(view.marker, marker))
        {
            // A type implements a trait once.
            Some(view) => view.slots.push(slot),
            None => views.push(View {
                marker,
                slots: vec![slot],
            }),
        }
    }

    views
        .iter()
        .map(|view| view.implementation(model, notes))
        .collect()
}

/// The marker that the field's type names: `map` may have another one by mistake, of which rustc
/// says more if this one is right.
fn marker<'a>(slot: &'a Slot<'_>) -> Option<&'a Type> {
    let marker = slot.marker()?;
    match of_mapped(slot.resource) {
        Some(written) if !target::is_same(written, marker) => Some(written),
        _ => Some(marker),
    }
}

/// `M` of a type that is written `Mapped<O, M>`.
fn of_mapped(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = target::bare(ty) else {
        return None;
    };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(args) = &last.arguments else {
        return None;
    };

    match args.args.iter().collect::<Vec<_>>()[..] {
        [GenericArgument::Type(_), GenericArgument::Type(marker)] if last.ident == "Mapped" => {
            Some(marker)
        }
        _ => None,
    }
}

/// What one marker makes.
struct View<'a> {
    marker: &'a Type,
    slots: Vec<&'a Slot<'a>>,
}

impl View<'_> {
    fn implementation(&self, model: &Owner<'_>, notes: &dyn Notes) -> TokenStream {
        let (impl_generics, ty_generics, where_clause) = model.item.generics.split_for_impl();
        let marker = target::plain(self.marker);
        let attrs = beside(model);
        let conditions = self.conditions();
        let lints = self.slots.iter().flat_map(|slot| &slot.lints);
        let comment = notes.comment(comments::view(&marker));
        let empty_line = notes.empty_line();
        let here = at(self.marker);
        let krate = tokens_at(&model.krate, here);
        let name = tokens_at(&model.item.ident, here);
        let ty_generics = tokens_at(&ty_generics, here);
        let header = quote_spanned! {here=>
            impl #impl_generics #krate::devres::HasView<#marker> for #name #ty_generics
        };
        let map = quote_spanned!(here=> <#marker as #krate::devres::MapMarker<Self>>::Map);

        quote! {
            #comment
            #conditions
            #(#lints)*
            #attrs
            #header
            #where_clause
            {
                type Map = #map;
            }

            #empty_line
        }
    }

    /// The conditions under which one of the fields is there.
    fn conditions(&self) -> TokenStream {
        match &self.slots[..] {
            [slot] => {
                let cfgs = &slot.cfgs;
                quote!(#(#cfgs)*)
            }
            slots if slots.iter().any(|slot| slot.cfgs.is_empty()) => TokenStream::new(),
            slots => {
                let predicates = slots.iter().map(|slot| attributes::predicate(&slot.cfgs));
                quote!(#[cfg(any(#(#predicates),*))])
            }
        }
    }
}
