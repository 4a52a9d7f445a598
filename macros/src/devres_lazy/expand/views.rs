// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The views into the owner: one implementation of `HasView` for each marker.
//!
//! This is the one item that needs a marker to implement `Map`. Rustc misses that in accessors too,
//! but at the same place and in the same words: it prints one message.

use super::{
    super::{
        attributes,
        model::{
            Owner,
            Slot, //
        },
        parse,
        target, //
    },
    tokens::{
        beside,
        tokens_at, //
    },
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
    Attribute,
    Ident,
    Type, //
};

/// Where rustc points when the marker of a view lacks something: at the first field that has this
/// marker. [`None`] if the field's type is not written as that of a view.
pub(super) fn place(slot: &Slot<'_>, model: &Owner<'_>) -> Option<Span> {
    let owner = &model.item.ident;
    let marker = written(slot, owner)?;
    let mut markers = model.slots.iter().filter_map(|slot| mapped_by(slot, owner));

    markers.find(|it| target::is_same(it, marker)).map(at)
}

fn at(marker: &Type) -> Span {
    Span::mixed_site().located_at(marker.span())
}

/// Returns the marker that maps the field, if the field is a view.
fn mapped_by<'a>(slot: &'a Slot<'_>, owner: &Ident) -> Option<&'a Type> {
    written(slot, owner).or_else(|| slot.marker(owner))
}

/// Returns the marker that maps the field, if the field is a view and its type is written as that
/// of a view.
///
/// The type may name another marker by mistake. Rustc then says more if this returns that one.
fn written<'a>(slot: &'a Slot<'_>, owner: &Ident) -> Option<&'a Type> {
    let marker = slot.marker(owner)?;
    let written = target::marker_of_view(slot.resource, owner)?;

    Some(if target::is_same(written, marker) {
        marker
    } else {
        written
    })
}

/// The implementations for all markers.
pub(super) fn views(model: &Owner<'_>) -> TokenStream {
    let owner = &model.item.ident;
    let mut views: Vec<View<'_>> = Vec::new();
    let mut add = |marker, attrs| {
        let is_same = |view: &&mut View<'_>| target::is_same(view.marker, marker);
        match views.iter_mut().find(is_same) {
            // A type implements a trait once.
            Some(view) => view.fields.push(attrs),
            None => views.push(View {
                marker,
                fields: vec![attrs],
            }),
        }
    };

    for field in &model.item.fields {
        let slot = model.slots.iter().find(|slot| slot.is(field));
        // If nothing could be made of the annotation, the field's type tells.
        let marker = match slot {
            Some(slot) => mapped_by(slot, owner),
            None if field.attrs.iter().any(parse::is_lazy) => {
                target::marker_of_view(&field.ty, owner)
            }
            None => None,
        };
        if let Some(marker) = marker {
            add(marker, &field.attrs);
        }
    }

    views
        .iter()
        .map(|view| view.implementation(model))
        .collect()
}

/// The views that one marker maps.
struct View<'a> {
    marker: &'a Type,
    /// The attributes of the fields.
    fields: Vec<&'a [Attribute]>,
}

impl View<'_> {
    fn implementation(&self, model: &Owner<'_>) -> TokenStream {
        let (impl_generics, ty_generics, where_clause) = model.item.generics.split_for_impl();
        let marker = target::plain(self.marker);
        let attrs = beside(model);
        let conditions = self.conditions();
        let lints = self
            .fields
            .iter()
            .flat_map(|attrs| attributes::lints(attrs));
        let here = at(self.marker);
        let krate = tokens_at(&model.krate, here);
        let name = tokens_at(&model.item.ident, here);
        let ty_generics = tokens_at(&ty_generics, here);
        let header = quote_spanned! {here=>
            impl #impl_generics #krate::devres::HasView<#marker> for #name #ty_generics
        };
        let map = quote_spanned!(here=> <#marker as #krate::devres::MapMarker<Self>>::Map);

        quote! {
            #conditions
            #(#lints)*
            #attrs
            #header
            #where_clause
            {
                type Map = #map;
            }
        }
    }

    /// The conditions under which one of the fields is there.
    fn conditions(&self) -> TokenStream {
        let conditions: Vec<_> = self
            .fields
            .iter()
            .map(|attrs| attributes::conditions(attrs))
            .collect();

        match &conditions[..] {
            [cfgs] => quote!(#(#cfgs)*),
            all if all.iter().any(Vec::is_empty) => TokenStream::new(),
            all => {
                let predicates = all.iter().map(|cfgs| attributes::predicate(cfgs));
                quote!(#[cfg(any(#(#predicates),*))])
            }
        }
    }
}
