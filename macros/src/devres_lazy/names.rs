// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Names for the locals of a generated function. Hygiene keeps a local from the author's
//! expressions, but not from the author's statics, constants and unit structs: a pattern of that
//! name is no local. So the names of locals are ones that no author chooses.

use proc_macro2::{
    Ident,
    Span,
    TokenStream,
    TokenTree, //
};
use quote::ToTokens;
use std::collections::BTreeSet;
use syn::{
    ext::IdentExt,
    ItemStruct,
    Lifetime, //
};

/// The prefix of the names of locals.
pub(crate) const PREFIX: &str = "__devres_lazy_";

/// The name of a local. The author's expressions do not see it.
pub(crate) fn local(name: &str) -> Ident {
    let name = name.strip_prefix("r#").unwrap_or(name);

    Ident::new(&format!("{PREFIX}{name}"), Span::mixed_site())
}

/// `'a`, or the first letter behind it that does not occur in the struct, neither as a parameter
/// nor in a type such as `dyn for<'a> Fn(&'a u32)`.
pub(crate) fn fresh_lifetime(item: &ItemStruct) -> Lifetime {
    let mut used = BTreeSet::new();
    collect(item.to_token_stream(), &mut used);

    let letters = ('a'..='z').map(String::from);
    let numbered = (1..).map(|number| format!("lazy{number}"));
    let name = letters
        .chain(numbered)
        .find(|name| !used.contains(name))
        .unwrap_or_default();

    Lifetime::new(&format!("'{name}"), Span::mixed_site())
}

/// Collects the names of lifetimes.
fn collect(tokens: TokenStream, used: &mut BTreeSet<String>) {
    let mut is_lifetime = false;
    for token in tokens {
        match &token {
            TokenTree::Group(group) => collect(group.stream(), used),
            TokenTree::Ident(name) if is_lifetime => {
                used.insert(name.unraw().to_string());
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => (),
        }
        is_lifetime = matches!(&token, TokenTree::Punct(quote) if quote.as_char() == '\'');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn lifetimes_do_not_occur() {
        let item = parse_quote! {
            struct Owner<'a> {
                slot: &'a u32,
                g: dyn for<'r#b> Fn(&'r#b u32),
            }
        };

        assert_eq!(fresh_lifetime(&item).ident, "c");
    }

    #[test]
    fn nobody_chooses_the_names_of_locals() {
        assert_eq!(local("slot"), "__devres_lazy_slot");
        assert_eq!(local("r#type"), "__devres_lazy_type");
    }
}
