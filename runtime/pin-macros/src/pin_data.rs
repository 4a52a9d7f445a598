// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `#[pin_data]`.

use crate::{generics, is_called, pinned_init, projection};
use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{quote, ToTokens};
use syn::{
    parse2, parse_quote,
    visit::{self, Visit},
    Attribute, Error, Fields, Item, ItemStruct, Result,
};

/// Expands `#[pin_data(args)] item`.
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let item = match parse2(item)? {
        Item::Struct(item) if matches!(item.fields, Fields::Named(_)) => item,
        other => {
            return Err(Error::new_spanned(
                other,
                "`#[pin_data]` needs a struct with named fields",
            ));
        }
    };
    if let Some(in_order) = in_order(&args, &item) {
        return Ok(in_order);
    }
    let item = with_lints_on_fields(item);
    let mut nested = Nested(None);
    nested.visit_item_struct(&item);
    if let Some(error) = nested.0 {
        return Err(error);
    }

    let ItemStruct {
        attrs,
        vis,
        struct_token,
        ident,
        generics,
        fields,
        ..
    } = &item;
    let (_, ty_generics, where_clause) = generics.split_for_impl();
    let ty_generics = ty_generics.as_turbofish();
    // `Self` would mean another type where `pinned-init` repeats fields and bounds.
    let this = quote!(#ident #ty_generics);
    let replaced = |tokens: &dyn ToTokens| replace_self(tokens.to_token_stream(), &this);
    let projection = projection::expand(&item, &replaced);

    let pinned_init = pinned_init();
    let attrs = attrs.iter().map(|attr| replaced(attr));
    let where_clause = replaced(&where_clause);
    let impl_generics = replaced(&generics::of_impl(generics));
    let arguments = generics::arguments(generics);
    let declared = generics::declared(generics);
    let fields = replaced(fields);

    Ok(quote! {
        #pinned_init::__pin_data! {
            parse_input:
            @args(#args),
            @sig(#(#attrs)* #vis #struct_token #ident #where_clause),
            @impl_generics(#impl_generics),
            @ty_generics(#arguments),
            @decl_generics(#declared),
            @body(#fields),
        }

        #projection
    })
}

/// The struct with this attribute below `#[devres_lazy]`, where it has to stand, and the error that
/// says so. [`None`] if it does not stand above, and no `#[lazy(..)]` is left on a field.
fn in_order(args: &TokenStream, item: &ItemStruct) -> Option<TokenStream> {
    let lazy = item
        .fields
        .iter()
        .flat_map(|field| &field.attrs)
        .find(|attr| is_called(attr, "lazy"))?;

    let mut item = item.clone();
    let attrs = &mut item.attrs;
    let error = if let Some(below) = attrs.iter().find(|attr| is_called(attr, "devres_lazy")) {
        Error::new_spanned(
            below,
            "put `#[devres_lazy]` above `#[pin_data]`, which has to know slots as pinned fields",
        )
    } else {
        let error = Error::new_spanned(
            lazy,
            "`#[lazy(..)]` is read by `#[devres_lazy]`: put that above `#[pin_data]`",
        );
        attrs.push(parse_quote!(#[::kernel::devres_lazy]));
        error
    };
    attrs.push(parse_quote!(#[::kernel::prelude::pin_data(#args)]));

    let error = error.into_compile_error();
    Some(quote!(#item #error))
}

/// The struct with the lints that it lets pass let pass on each field too: `pinned-init` repeats the
/// fields in structs of its own.
fn with_lints_on_fields(mut item: ItemStruct) -> ItemStruct {
    let lints: Vec<Attribute> = item
        .attrs
        .iter()
        .filter(|attr| attr.path().is_ident("allow"))
        .cloned()
        .collect();
    for field in &mut item.fields {
        field.attrs.splice(0..0, lints.iter().cloned());
    }

    item
}

/// Finds an item inside of the struct, in which `Self` has a meaning of its own.
struct Nested(Option<Error>);

impl<'ast> Visit<'ast> for Nested {
    fn visit_item(&mut self, item: &'ast Item) {
        self.0.get_or_insert_with(|| {
            Error::new_spanned(
                item,
                "`#[pin_data]` repeats the fields: move this item out of the struct",
            )
        });
        visit::visit_item(self, item);
    }
}

/// Replaces `Self` by `this`, inside of macro calls too.
fn replace_self(tokens: TokenStream, this: &TokenStream) -> TokenStream {
    tokens
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Ident(ident) if ident == "Self" => this.clone(),
            TokenTree::Group(group) => {
                let mut replaced =
                    Group::new(group.delimiter(), replace_self(group.stream(), this));
                replaced.set_span(group.span());
                TokenTree::Group(replaced).into()
            }
            token => token.into(),
        })
        .collect()
}
