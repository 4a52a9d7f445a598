// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Plain names for the locals of the expansion. The macro gives rustc names that no author chooses.

use crate::devres_lazy::names::PREFIX;
use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use std::collections::BTreeSet;
use syn::{File, ImplItem, Item};

/// Gives the locals in generated items plain names, which are others than those that the file
/// declares and those that the author's expressions use.
pub(crate) fn plain(items: TokenStream, declared: &BTreeSet<String>) -> syn::Result<TokenStream> {
    let mut items: File = syn::parse2(items)?;
    for item in &mut items.items {
        let Item::Impl(block) = item else {
            continue;
        };
        for item in &mut block.items {
            if let ImplItem::Fn(function) = item {
                let mut names = Names {
                    taken: declared.clone(),
                    raw: BTreeSet::new(),
                };
                names.collect(function.block.to_token_stream());
                *item = ImplItem::Verbatim(names.rename(function.to_token_stream()));
            }
        }
    }

    Ok(items.into_token_stream())
}

/// The names in a function.
struct Names {
    /// The names that no local can have.
    taken: BTreeSet<String>,
    /// The names that are written as `r#name`.
    raw: BTreeSet<String>,
}

impl Names {
    /// Collects the names that may be variables of the author's.
    fn collect(&mut self, tokens: TokenStream) {
        let mut before = [None, None];
        for token in tokens {
            let punct = match &token {
                TokenTree::Punct(punct) => Some(punct.as_char()),
                _ => None,
            };
            match token {
                TokenTree::Group(group) => self.collect(group.stream()),
                TokenTree::Ident(ident) => {
                    let name = ident.to_string();
                    if let Some(name) = name.strip_prefix("r#") {
                        self.raw.insert(name.to_owned());
                    }
                    let is_member = before[1] == Some('.') && before[0] != Some('.');
                    let is_segment = before[1] == Some(':') && before[0] == Some(':');
                    if !is_member && !is_segment && !name.starts_with(PREFIX) {
                        self.taken.insert(name.trim_start_matches("r#").to_owned());
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => (),
            }
            before = [before[1], punct];
        }
    }

    fn rename(&self, tokens: TokenStream) -> TokenStream {
        tokens
            .into_iter()
            .map(|token| match token {
                TokenTree::Group(group) => {
                    let mut renamed = Group::new(group.delimiter(), self.rename(group.stream()));
                    renamed.set_span(group.span());
                    renamed.into()
                }
                TokenTree::Ident(ident) => match ident.to_string().strip_prefix(PREFIX) {
                    Some(name) => self.choose(name).into(),
                    None => ident.into(),
                },
                token => token,
            })
            .collect()
    }

    /// `wanted`, or the first of `wanted2`, `wanted3` and so on that is free.
    fn choose(&self, wanted: &str) -> Ident {
        let numbered = (2..).map(|number| format!("{wanted}{number}"));
        let name = [wanted.to_owned()]
            .into_iter()
            .chain(numbered)
            .find(|name| !self.taken.contains(name))
            .unwrap_or_default();

        // A raw name may be a keyword of another edition.
        if self.raw.contains(&name) || syn::parse_str::<Ident>(&name).is_err() {
            return Ident::new_raw(&name, Span::call_site());
        }
        Ident::new(&name, Span::call_site())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;

    /// Returns the printed text of a function with this body.
    fn printed(body: TokenStream) -> String {
        let declared = ["place".to_owned()].into();
        plain(quote!(impl A { fn f() { #body } }), &declared)
            .unwrap()
            .to_string()
    }

    #[test]
    fn free_names_are_plain() {
        let printed = printed(quote! {
            let __devres_lazy_slot = self.slot.f(a::slot);
            let __devres_lazy_place = __devres_lazy_slot;
        });
        assert!(printed.contains("let slot = self . slot"), "{printed}");
        assert!(printed.contains("let place2 = slot ;"), "{printed}");
    }

    #[test]
    fn those_of_the_author_are_taken() {
        let printed = printed(quote! {
            let __devres_lazy_slot = 0..slot;
            g(slot2, __devres_lazy_type, r#gen, __devres_lazy_gen);
        });
        assert!(printed.contains("let slot3 = 0 .. slot"), "{printed}");
        assert!(
            printed.contains("(slot2 , r#type , r#gen , gen2)"),
            "{printed}"
        );
    }
}
