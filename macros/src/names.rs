// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Names that an item leaves free. Hygiene keeps the locals of the expansion from the author's
//! expressions while rustc compiles them; in print they are plain names, and have to be others.

use proc_macro2::{
    Ident,
    Span,
    TokenStream,
    TokenTree, //
};
use std::collections::BTreeSet;
use syn::{
    ext::IdentExt,
    Lifetime, //
};

/// The names that occur in an item; those of lifetimes with their quote.
pub(crate) struct Names(BTreeSet<String>);

impl Names {
    /// Those that occur in `item`, at any depth.
    pub(crate) fn used_in(item: TokenStream) -> Self {
        fn collect(tokens: TokenStream, used: &mut BTreeSet<String>) {
            let mut is_lifetime = false;
            for token in tokens {
                match &token {
                    TokenTree::Group(group) => collect(group.stream(), used),
                    TokenTree::Ident(name) if is_lifetime => {
                        used.insert(format!("'{name}"));
                    }
                    TokenTree::Ident(name) => {
                        used.insert(name.unraw().to_string());
                    }
                    TokenTree::Punct(_) | TokenTree::Literal(_) => (),
                }
                is_lifetime = matches!(&token, TokenTree::Punct(quote) if quote.as_char() == '\'');
            }
        }

        let mut used = BTreeSet::new();
        collect(item, &mut used);
        Self(used)
    }

    /// `wanted`, or the first of `wanted2`, `wanted3` and so on that does not occur.
    pub(crate) fn fresh(&self, wanted: &str) -> Ident {
        let mut name = wanted.to_owned();
        let mut number = 1;
        while self.0.contains(&name) {
            number += 1;
            name = format!("{wanted}{number}");
        }

        Ident::new(&name, Span::mixed_site())
    }

    /// `'a`, or the first letter behind it that does not occur, neither as a parameter nor in a
    /// type such as `dyn for<'a> Fn(&'a u32)`.
    pub(crate) fn fresh_lifetime(&self) -> Lifetime {
        ('a'..='z')
            .map(|letter| format!("'{letter}"))
            .find(|name| !self.0.contains(name))
            .map_or_else(
                || Lifetime::new("'lazy", Span::mixed_site()),
                |name| Lifetime::new(&name, Span::mixed_site()),
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;

    #[test]
    fn names_do_not_occur() {
        let names = Names::used_in(quote! {
            struct Owner<'a> {
                slot: &'a u32,
                f: fn(r#owner2: [owner; 3]),
            }
        });

        assert_eq!(names.fresh("slot"), "slot2");
        assert_eq!(names.fresh("owner"), "owner3");
        assert_eq!(names.fresh("a"), "a");
        assert_eq!(names.fresh_lifetime().ident, "b");
    }
}
