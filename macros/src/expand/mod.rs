// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The model to tokens. Cannot fail, and holds no rule: what is generated is control flow that one
//! can read, on the types of the runtime.
//!
//! All paths are absolute. Locals that the author's expressions must not see have `mixed_site`
//! spans, and where they would be in scope names that do not occur in the item, so that the
//! expansion means the same in print; `self` and `dev`, which they may use, have that of the
//! author's own `self`.

mod functions;
mod retire;
mod teardown;
mod views;

use super::{
    attributes,
    borrowing::Borrowing,
    diagnostics::Errors,
    model::{
        Destructor,
        Owner, //
    },
    names::Names,
    notes::{
        NoNotes,
        Notes, //
    },
    parse,
    validate::{
        self,
        Annotated, //
    },
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
use syn::{
    parse_quote,
    parse_quote_spanned,
    spanned::Spanned,
    visit_mut::VisitMut,
    Attribute,
    Ident,
    Item, //
};

/// What an annotated item becomes.
pub(crate) struct Expansion {
    pub(crate) tokens: TokenStream,
    /// What is wrong with the item; the tokens are then good enough for rustc to go on.
    pub(crate) errors: Errors,
}

/// Expands `#[devres_lazy(args)] item` for rustc.
pub(crate) fn devres_lazy(args: TokenStream, item: TokenStream) -> TokenStream {
    let Expansion { tokens, errors } = expand(args, item, &NoNotes);
    let errors = errors.into_error().map(|error| error.to_compile_error());

    quote!(#tokens #errors)
}

/// Expands `#[devres_lazy(args)] item`, with `notes` between the code.
///
/// The runtime is at `::kernel`, unless `args` say otherwise: the host's library and the kernel's
/// crate have the same name.
pub(crate) fn expand(args: TokenStream, item: TokenStream, notes: &dyn Notes) -> Expansion {
    let mut errors = Errors::default();

    let args = parse::args(args, &mut errors);
    let item = match parse::item(item.clone()) {
        Ok(item) => item,
        Err(error) => {
            errors.add(error);
            let tokens = item;
            return Expansion { tokens, errors };
        }
    };

    let krate = args.krate.unwrap_or_else(|| parse_quote!(::kernel));
    let annotated = validate::validate(krate, &item, &mut errors);
    let body = if errors.is_empty() {
        Body::Real
    } else {
        Body::Stub
    };

    let tokens = match annotated {
        Annotated::Owner(model) => owner(&model, body, notes),
        Annotated::OwnDestructor(model) => teardown::own_destructor(&model, notes),
        Annotated::Expanded => item.to_token_stream(),
        Annotated::Misplaced => without_lazy(item),
    };

    Expansion { tokens, errors }
}

/// What accessors do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    /// Their work.
    Real,
    /// Nothing: an error was reported, and they are here so that their callers compile.
    Stub,
}

/// Expands a struct with lazy fields.
fn owner(model: &Owner<'_>, body: Body, notes: &dyn Notes) -> TokenStream {
    let item = owner_struct(model);
    let names = Names::new(model.item, notes.declared());
    let accessors = accessors(model, &names, body, notes);
    let views = views::views(model, body, notes);
    let teardown = teardown::teardown(model, &names, notes);
    let empty_line = notes.empty_line();

    quote! {
        #item
        #empty_line
        #accessors
        #empty_line
        #views
        #teardown
    }
}

/// The struct: each lazy field becomes a pinned slot.
fn owner_struct(model: &Owner<'_>) -> TokenStream {
    let krate = &model.krate;
    let mut item = model.item.clone();
    item.attrs.retain(|attr| !validate::is_ours(attr));
    attributes::replace(&mut item.attrs, &attributes::allowed);

    let too_late = model.destructor == Destructor::TooLate;
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

    for field in &mut item.fields {
        let is_lazy = |attr: &Attribute| parse::is_lazy(attr) || parse::hides_lazy(attr);
        if !field.attrs.iter().any(is_lazy) {
            continue;
        }

        field.attrs.retain(|attr| !is_lazy(attr));
        attributes::undeprecate(&mut field.attrs);
        attributes::replace(&mut field.attrs, &attributes::allowed);
        if too_late {
            // `#[pin_data]` has written down what the field is.
            continue;
        }
        if !field.attrs.iter().any(|attr| attr.path().is_ident("pin")) {
            field.attrs.push(parse_quote!(#[pin]));
        }
        let resource = &field.ty;
        let slot = model
            .slots
            .iter()
            .find(|slot| Some(slot.name) == field.ident.as_ref());
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

/// Tokens that are part of what rustc is to point at. They mean what they meant, `$crate` too.
fn tokens_at(tokens: &impl ToTokens, span: Span) -> TokenStream {
    tokens
        .to_token_stream()
        .into_iter()
        .map(|mut token| {
            token.set_span(token.span().located_at(span));
            token
        })
        .collect()
}

/// The attributes of an item beside the struct: it is there where the struct is, and names it.
fn beside(model: &Owner<'_>) -> TokenStream {
    let Owner { cfgs, lints, .. } = model;
    let deprecations = attributes::deprecations(&model.item.attrs);
    let allow = (!deprecations.is_empty())
        .then(|| quote!(#[allow(deprecated, reason = "the struct itself is")]));

    quote!(#(#cfgs)* #(#lints)* #allow)
}

/// The accessors of all slots.
fn accessors(model: &Owner<'_>, names: &Names, body: Body, notes: &dyn Notes) -> TokenStream {
    let name = &model.item.ident;
    let (impl_generics, ty_generics, where_clause) = model.item.generics.split_for_impl();
    let functions: Vec<_> = model
        .slots
        .iter()
        .flat_map(|slot| Functions::new(model, slot, names, body, notes).all())
        .collect();
    let functions = separated(functions, notes);
    let attrs = beside(model);

    quote! {
        #attrs
        impl #impl_generics #name #ty_generics #where_clause {
            #functions
        }
    }
}

/// Items with empty lines between them.
fn separated(items: Vec<TokenStream>, notes: &dyn Notes) -> TokenStream {
    let mut separated = TokenStream::new();
    for item in items {
        if !separated.is_empty() {
            separated.extend(notes.empty_line());
        }
        separated.extend(item);
    }

    separated
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
