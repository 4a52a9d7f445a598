// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `self` and `dev` in the author's expressions, wherever the expressions come from. Where a
//! `macro_rules!` writes the item, one expression may be of the macro and the next one of its
//! caller. Rustc tells their `self` apart.

use proc_macro2::{
    Group,
    Ident,
    Span,
    TokenStream,
    TokenTree, //
};

/// The first token of an expression that is called `name`.
pub(crate) fn first(tokens: TokenStream, name: &str) -> Option<Span> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if ident == name => Some(ident.span()),
        TokenTree::Group(group) => first(group.stream(), name),
        _ => None,
    })
}

/// The tokens called `name` with another meaning than at `site`, one for each meaning.
pub(crate) fn strangers(tokens: TokenStream, name: &str, site: Span) -> Vec<Ident> {
    let mut found: Vec<Ident> = Vec::new();
    collect(tokens, name, &mut |ident| {
        let is_known = is_same(ident.span(), site)
            || found
                .iter()
                .any(|known| is_same(known.span(), ident.span()));
        if !is_known {
            found.push(ident.clone());
        }
    });

    found
}

/// Whether `name` may be a variable in the tokens, and not only a field or a method.
pub(crate) fn has_variable(tokens: TokenStream, name: &str) -> bool {
    let is_dot = |token: &TokenTree| matches!(token, TokenTree::Punct(it) if it.as_char() == '.');
    let mut dots = 0;

    tokens.into_iter().any(|token| {
        let is_member = dots == 1;
        dots = if is_dot(&token) { dots + 1 } else { 0 };
        match token {
            TokenTree::Ident(ident) => ident == name && !is_member,
            TokenTree::Group(group) => has_variable(group.stream(), name),
            _ => false,
        }
    })
}

fn collect(tokens: TokenStream, name: &str, found: &mut dyn FnMut(&Ident)) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) if ident == name => found(&ident),
            TokenTree::Group(group) => collect(group.stream(), name, found),
            _ => (),
        }
    }
}

/// The tokens, in which every `self` has the meaning of `self` at `site`.
///
/// Nothing else can be called so: there is no `let self`, and a function within the expression has
/// all of its `self` changed alike.
pub(crate) fn with_self(tokens: TokenStream, site: Span) -> TokenStream {
    if strangers(tokens.clone(), "self", site).is_empty() {
        return tokens;
    }

    tokens
        .into_iter()
        .map(|token| match token {
            TokenTree::Ident(mut ident) if ident == "self" => {
                ident.set_span(ident.span().resolved_at(site));
                ident.into()
            }
            TokenTree::Group(group) => {
                let mut changed = Group::new(group.delimiter(), with_self(group.stream(), site));
                changed.set_span(group.span());
                changed.into()
            }
            token => token,
        })
        .collect()
}

/// Whether a name means the same at two places, as far as rustc shows that.
///
/// Rustc shows it only in the debug format of a span. If that format changes, all names are taken
/// for different ones, which is as good: then each is changed, or gets a name of its own.
fn is_same(a: Span, b: Span) -> bool {
    let [a, b] = [a, b].map(|span| format!("{span:?}"));
    let context = |span: &str| span.split("bytes(").next().map(ToOwned::to_owned);

    context(&a) == context(&b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::{
        quote,
        quote_spanned, //
    };

    #[test]
    fn names_are_found_at_any_depth() {
        let tokens = quote!(f(a, { [dev] }));

        assert!(first(tokens.clone(), "dev").is_some());
        assert!(first(tokens.clone(), "self").is_none());
        assert!(strangers(tokens, "dev", Span::call_site()).is_empty());
    }

    #[test]
    fn members_are_no_variables() {
        assert!(has_variable(quote!(f(self.dev, { [dev] })), "dev"));
        assert!(has_variable(quote!(0..dev), "dev"));
        assert!(!has_variable(quote!(f(self.dev, device, a.dev())), "dev"));
    }

    #[test]
    fn what_means_the_same_is_left_alone() {
        let tokens = quote_spanned!(Span::call_site()=> f(self, { [self.len] }));

        assert_eq!(
            with_self(tokens.clone(), Span::call_site()).to_string(),
            tokens.to_string()
        );
    }
}
