// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Expands the item below `#[devres_lazy]`: [`expansion()`] shows the steps.
//!
//! The macro, the kernel's `rust/macros/` and the printer `cargo devres-lazy expand` each include
//! this folder once. Each step has a module, and no step knows a later one:
//!
//! - [`parse`]: from tokens to the entries as written. Reports syntax errors only.
//! - [`validate`]: from the entries to the [`model`]. Every rule about what is allowed is here.
//! - [`mod@expand`]: from the model to tokens. Cannot fail.

pub(crate) mod attributes;
mod borrowing;
pub(crate) mod diagnostics;
mod diverge;
mod docs;
mod expand;
mod hygiene;
mod model;
pub(crate) mod names;
pub(crate) mod parse;
mod target;
mod validate;

use diagnostics::Errors;
use proc_macro2::TokenStream;
use quote::quote;
use syn::parse_quote;

/// The expansion of an annotated item.
pub(crate) struct Expansion {
    /// The item itself.
    pub(crate) item: TokenStream,
    /// The items that are generated beside it.
    pub(crate) beside: TokenStream,
    /// The errors in the item. If there are any, the tokens still let rustc go on.
    pub(crate) errors: Option<syn::Error>,
}

/// Expands `#[devres_lazy(args)] item` for rustc.
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let Expansion {
        item,
        beside,
        errors,
    } = expansion(args, item);
    let errors = errors.map(|errors| errors.to_compile_error());

    quote!(#item #beside #errors)
}

/// Expands `#[devres_lazy(args)] item`.
///
/// The runtime is at `::kernel`, unless `args` say otherwise: the host's library and the kernel's
/// crate have the same name.
pub(crate) fn expansion(args: TokenStream, item: TokenStream) -> Expansion {
    let mut errors = Errors::default();

    let args = parse::args(args, &mut errors);
    let parsed = match parse::item(item.clone()) {
        Ok(parsed) => parsed,
        Err(error) => {
            errors.add(error);
            return Expansion {
                item,
                beside: TokenStream::new(),
                errors: errors.into_error(),
            };
        }
    };
    let krate = args.krate.unwrap_or_else(|| parse_quote!(::kernel));
    let model = validate::validate(krate, &parsed, &mut errors);
    let (item, beside) = expand::expand(&model);

    Expansion {
        item,
        beside,
        errors: errors.into_error(),
    }
}
