// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Names for the locals of the expansion. Hygiene keeps them from the author's expressions while
//! rustc compiles those, but not from the author's statics, constants and unit structs: a pattern
//! of that name is no local. So for rustc they have names that nobody chooses. In print they are
//! plain names, and have to be others than those of the file.

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
    GenericParam,
    ItemStruct,
    Lifetime, //
};

/// What locals of rustc's begin with.
const PREFIX: &str = "__devres_lazy_";

/// The names that locals cannot have.
pub(crate) struct Names {
    /// Those that occur in the item, at any depth; those of lifetimes with their quote.
    used: BTreeSet<String>,
    /// Those of what is declared around it, and of its constant parameters; [`None`] if that is not
    /// known.
    declared: Option<BTreeSet<String>>,
}

impl Names {
    /// For an item in a file that declares this, if that is known.
    pub(crate) fn new(item: &ItemStruct, declared: Option<&BTreeSet<String>>) -> Self {
        let parameters = item.generics.params.iter().filter_map(|param| match param {
            GenericParam::Const(param) => Some(param.ident.unraw().to_string()),
            GenericParam::Lifetime(_) | GenericParam::Type(_) => None,
        });

        Self {
            used: Self::used_in(item.to_token_stream()),
            declared: declared.map(|declared| declared.iter().cloned().chain(parameters).collect()),
        }
    }

    /// The names that occur in `item`.
    fn used_in(item: TokenStream) -> BTreeSet<String> {
        fn collect(tokens: TokenStream, used: &mut BTreeSet<String>) {
            let mut is_lifetime = false;
            for token in tokens {
                match &token {
                    TokenTree::Group(group) => collect(group.stream(), used),
                    TokenTree::Ident(name) if is_lifetime => {
                        used.insert(format!("'{}", name.unraw()));
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
        used
    }

    /// A name for a local that the author's expressions have in their scope: `wanted`, or the first
    /// of `wanted2`, `wanted3` and so on that neither occurs in the item nor is declared.
    pub(crate) fn fresh(&self, wanted: &str) -> Ident {
        self.choose(wanted, |name| {
            self.used.contains(name) || self.is_declared(name)
        })
    }

    /// A name for a local that they do not have in their scope.
    pub(crate) fn local(&self, wanted: &str) -> Ident {
        self.choose(wanted, |name| self.is_declared(name))
    }

    fn is_declared(&self, name: &str) -> bool {
        let declared = self.declared.as_ref();
        declared.is_some_and(|declared| declared.contains(name))
    }

    fn choose(&self, wanted: &str, is_taken: impl Fn(&str) -> bool) -> Ident {
        // What is raw may be a keyword of another edition.
        let (is_raw, wanted) = match wanted.strip_prefix("r#") {
            Some(name) => (true, name),
            None => (false, wanted),
        };
        if self.declared.is_none() {
            return Ident::new(&format!("{PREFIX}{wanted}"), Span::mixed_site());
        }

        let mut name = wanted.to_owned();
        let mut number = 1;
        while is_taken(&name) {
            number += 1;
            name = format!("{wanted}{number}");
        }
        if is_raw {
            return Ident::new_raw(&name, Span::mixed_site());
        }

        Ident::new(&name, Span::mixed_site())
    }

    /// `'a`, or the first letter behind it that does not occur, neither as a parameter nor in a
    /// type such as `dyn for<'a> Fn(&'a u32)`.
    pub(crate) fn fresh_lifetime(&self) -> Lifetime {
        let letters = ('a'..='z').map(|letter| format!("'{letter}"));
        let numbered = (1..).map(|number| format!("'lazy{number}"));
        let name = letters
            .chain(numbered)
            .find(|name| !self.used.contains(name))
            .unwrap_or_default();

        Lifetime::new(&name, Span::mixed_site())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    fn owner() -> ItemStruct {
        parse_quote! {
            struct Owner<'a, const table: usize> {
                slot: &'a u32,
                f: fn(r#owner2: [owner; 3]),
                g: dyn for<'r#b> Fn(&'r#b u32),
            }
        }
    }

    #[test]
    fn names_do_not_occur() {
        let declared = ["place", "ring"].map(ToOwned::to_owned).into();
        let names = Names::new(&owner(), Some(&declared));

        assert_eq!(names.fresh("slot"), "slot2");
        assert_eq!(names.fresh("owner"), "owner3");
        assert_eq!(names.fresh("a"), "a");
        assert_eq!(names.fresh("place"), "place2");
        assert_eq!(names.local("slot"), "slot");
        assert_eq!(names.local("ring"), "ring2");
        assert_eq!(names.local("table"), "table2");
        assert_eq!(
            names.local("r#type"),
            Ident::new_raw("type", Span::call_site())
        );
        assert_eq!(names.fresh_lifetime().ident, "c");
    }

    #[test]
    fn nobody_chooses_those_of_rustc() {
        let names = Names::new(&owner(), None);

        assert_eq!(names.fresh("slot"), "__devres_lazy_slot");
        assert_eq!(names.local("r#type"), "__devres_lazy_type");
    }
}
