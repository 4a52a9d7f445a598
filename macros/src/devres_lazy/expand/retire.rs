// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Retires the slots of an owner that is exclusively borrowed.
//!
//! `project()`, which `#[pin_data]` writes, takes an exclusive reference to each field. No other
//! code may use a field at that time. Unbind may be dropping a view on another thread, and views
//! read their owner. An owner with views is therefore projected to one slot. References to the
//! owner and to the slot are not exclusive, as both types are `!Unpin`.

use super::super::{
    model::{
        Owner,
        Slot, //
    },
    names, //
};
use proc_macro2::{
    Ident,
    TokenStream, //
};
use quote::quote;

/// One slot of `this`, an expression of type `Pin<&mut Self>`.
pub(super) fn projected(
    this: TokenStream,
    slot: &Slot<'_>,
    owner_has_view: bool,
    owner: &Ident,
) -> TokenStream {
    let field = slot.name;
    if owner_has_view {
        quote!(unsafe { ::core::pin::Pin::map_unchecked_mut(#this, |#owner| &mut #owner.#field) })
    } else {
        quote!(Self::project(#this).#field)
    }
}

/// Retires all slots of `self`, in reverse order of declaration.
pub(super) struct Retired {
    /// The parameter.
    pub(super) this: TokenStream,
    pub(super) body: TokenStream,
}

pub(super) fn all(model: &Owner<'_>) -> Retired {
    if model.has_view() {
        one_by_one(model)
    } else {
        at_once(model)
    }
}

/// With one projection.
fn at_once(model: &Owner<'_>) -> Retired {
    let this = names::local("this");
    let retire = model.slots.iter().rev().map(|slot| {
        let field = slot.name;
        retire(model, slot, &quote!(#this.#field))
    });
    // Where all are configured off, `this` is not unused either.
    let used = may_be_empty(model).then(|| quote!(let _ = &#this;));

    Retired {
        this: quote!(self),
        body: quote! {
            let #this = Self::project(self);
            #used
            #(#retire)*
        },
    }
}

/// With one projection for each.
fn one_by_one(model: &Owner<'_>) -> Retired {
    let owner = names::local("owner");
    // A single slot is projected from `self`, and several from reborrows of it.
    let is_only = model.slots.len() == 1 && !may_be_empty(model);
    let this = if is_only {
        quote!(self)
    } else {
        quote!(::core::pin::Pin::as_mut(&mut self))
    };
    let retire = model
        .slots
        .iter()
        .rev()
        .map(|slot| retire(model, slot, &projected(this.clone(), slot, true, &owner)));
    let used = may_be_empty(model).then(|| quote!(let _ = &mut self;));

    Retired {
        this: if is_only {
            quote!(self)
        } else {
            quote!(mut self)
        },
        body: quote!(#used #(#retire)*),
    }
}

/// Whether all slots may be configured off.
fn may_be_empty(model: &Owner<'_>) -> bool {
    model.slots.iter().all(|slot| !slot.cfgs.is_empty())
}

/// Retires `pinned`, which is `slot` projected.
fn retire(model: &Owner<'_>, slot: &Slot<'_>, pinned: &TokenStream) -> TokenStream {
    let krate = &model.krate;
    let Slot { cfgs, lints, .. } = slot;
    let (slot_type, stored) = (slot.slot_type(), slot.stored());

    // With the parameter, so that it is the field's type whatever that is an alias of.
    quote! {
        #(#cfgs)*
        #(#lints)*
        #krate::devres::#slot_type::<#stored>::retire(#pinned);
    }
}
