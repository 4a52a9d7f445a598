// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Paths among tokens.

use proc_macro2::{Ident, TokenTree};
use syn::ext::IdentExt;

/// The path that begins at a token: its names, each with where it ends.
pub(super) fn path_at(tokens: &[TokenTree], mut at: usize) -> Vec<(usize, String)> {
    let is_separator = |at: usize| {
        tokens.get(at).is_some_and(is_colon) && tokens.get(at + 1).is_some_and(is_colon)
    };
    let mut names = Vec::new();
    if is_separator(at) {
        at += 2;
    }

    while let Some(TokenTree::Ident(name)) = tokens.get(at).filter(|_| is_name(tokens, at)) {
        names.push((at + 1, name.unraw().to_string()));
        at += 1;
        if !is_separator(at) {
            break;
        }
        at += 2;
    }
    names
}

/// Whether a token is a name that a path may have: neither a keyword nor a lifetime.
pub(super) fn is_name(tokens: &[TokenTree], at: usize) -> bool {
    let is_quote = |token: &TokenTree| token.to_string() == "'";
    match &tokens[at] {
        TokenTree::Ident(name) => {
            let name = name.to_string();
            let is_special = ["Self", "crate", "self", "super"].contains(&name.as_str());
            let is_lifetime = at > 0 && is_quote(&tokens[at - 1]);
            !is_lifetime && (is_special || syn::parse_str::<Ident>(&name).is_ok())
        }
        _ => false,
    }
}

/// How many colons stand before a token: one is that of a type, and two are those of a path.
pub(super) fn colons_before(tokens: &[TokenTree], at: usize) -> usize {
    tokens[..at]
        .iter()
        .rev()
        .take_while(|token| is_colon(token))
        .count()
}

pub(crate) fn is_colon(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(colon) if colon.as_char() == ':')
}
