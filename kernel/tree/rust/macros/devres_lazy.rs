// SPDX-License-Identifier: GPL-2.0

//! The attribute `#[devres_lazy]`: what is written is parsed, checked, and expanded.

mod attributes;
mod borrowing;
mod comments;
mod diagnostics;
mod diverge;
mod docs;
mod expand;
mod hygiene;
mod model;
mod names;
mod notes;
mod parse;
mod safety;
mod target;
mod validate;
mod wrap;

use proc_macro2::TokenStream;

/// Expands `#[devres_lazy(attr)] input`.
pub(crate) fn expand(attr: TokenStream, input: TokenStream) -> TokenStream {
    expand::devres_lazy(attr, input)
}
