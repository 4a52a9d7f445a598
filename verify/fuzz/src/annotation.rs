// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Annotated items through the macro's expander.
//!
//! Whatever the attribute stands on, the expander does not panic, and tells right from wrong items.
//! An error points at tokens of the item. The expansion is items that rustc can parse.

use crate::writer::{Expected, Writer, GROUP};
use arbitrary::Unstructured;
use cargo_devres_lazy::expand_item;
use proc_macro2::{extra, Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Field, Fields, File, Item};

/// How deep brackets may be nested: the parser is recursive, and rustc's own limit is lower.
const MAX_DEPTH: usize = 100;

/// The expander that is checked: as [`expand_item()`].
pub type Expander = fn(TokenStream, TokenStream) -> (TokenStream, Option<syn::Error>);

/// Checks the item that these bytes stand for.
///
/// They are the text of an item, or after a zero byte and a one byte, choices from the grammar and
/// of words.
///
/// # Panics
///
/// If something is wrong with the expander.
pub fn check(data: &[u8]) {
    let (text, expected) = match data {
        [0, rest @ ..] => by(rest, |writer| writer.annotated()),
        [1, rest @ ..] => by(rest, |writer| writer.soup_item()),
        text => match std::str::from_utf8(text) {
            Ok(text) => (text.to_owned(), Expected::Any),
            Err(_) => return,
        },
    };

    check_text(&text, expected, expand_item);
}

/// Writes a text.
fn by(data: &[u8], write: impl FnOnce(&mut Writer<'_, '_>)) -> (String, Expected) {
    let mut bytes = Unstructured::new(data);
    let mut writer = Writer::new(&mut bytes);
    write(&mut writer);

    writer.finish()
}

/// Checks what `expander` makes of an item.
///
/// # Panics
///
/// If something is wrong with that.
pub fn check_text(text: &str, expected: Expected, expander: Expander) {
    // All texts are kept for their spans, of which there are none left from the last time.
    extra::invalidate_current_thread_spans();

    let tokens = match text.parse::<TokenStream>() {
        Ok(tokens) if !is_deeper(tokens.clone(), MAX_DEPTH) => tokens,
        _ => {
            assert_ne!(
                expected,
                Expected::Success,
                "{text}\n-- these are no tokens"
            );
            return;
        }
    };
    let tokens = if text.contains(GROUP) {
        with_groups(tokens)
    } else {
        tokens
    };
    let Some((args, item)) = split(tokens) else {
        return;
    };

    let (expansion, error) = expander(args, item.clone());
    match (expected, &error) {
        (Expected::Success, Some(error)) => panic!("{text}\n-- refused: {error}"),
        (Expected::Error, None) => panic!("{text}\n-- not refused"),
        _ => (),
    }

    if !is_item(item) {
        // Where an item ends too early there is nothing to point at.
        return;
    }
    let file = parsed(&expansion, text);
    match error {
        Some(error) => point_at(error, text),
        None => without_lazy(&file, text),
    }
}

/// Whether rustc would call the macro: it parses an item first.
fn is_item(item: TokenStream) -> bool {
    let is_named = |field: &Field| field.ident.as_ref().is_none_or(|name| name != "_");

    match syn::parse2(item) {
        Ok(Item::Struct(item)) => item.fields.iter().all(is_named),
        Ok(_) => true,
        Err(_) => false,
    }
}

/// Parses an expansion, but for its documentation.
fn parsed(expansion: &TokenStream, text: &str) -> File {
    match syn::parse2(without_docs(expansion.clone())) {
        Ok(file) => file,
        Err(error) => panic!("{text}\n-- expanded:\n{expansion}\n-- no items: {error}"),
    }
}

/// Tokens without `#[doc ..]`, which are most of an expansion.
fn without_docs(tokens: TokenStream) -> TokenStream {
    let mut without = Vec::new();

    for token in tokens {
        let token = match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
                let first = group.stream().into_iter().next();
                let is_doc = matches!(first, Some(TokenTree::Ident(name)) if name == "doc");
                let is_attr =
                    matches!(without.last(), Some(TokenTree::Punct(last)) if last.as_char() == '#');
                if is_doc && is_attr {
                    without.pop();
                    continue;
                }
                group.into()
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                Group::new(Delimiter::Brace, without_docs(group.stream())).into()
            }
            token => token,
        };
        without.push(token);
    }

    without.into_iter().collect()
}

/// Asserts that errors are about something in the text.
fn point_at(errors: syn::Error, text: &str) {
    for error in errors {
        let range = error.span().byte_range();
        let is_there = !range.is_empty() && range.end <= text.len();

        assert!(is_there, "{text}\n-- at {range:?}: {error}");
        assert!(!error.to_string().is_empty(), "{text}\n-- no message");
    }
}

/// Asserts that no `#[lazy(..)]` is left, which is nobody's attribute then.
fn without_lazy(file: &File, text: &str) {
    let Some(Item::Struct(item)) = file.items.first() else {
        return;
    };
    let is_lazy = |attr: &Attribute| attr.path().is_ident("lazy");

    assert!(
        matches!(item.fields, Fields::Named(_)),
        "{text}\n-- an owner without names"
    );
    for field in &item.fields {
        assert!(
            !field.attrs.iter().any(is_lazy),
            "{text}\n-- `#[lazy]` is left: {}",
            field.to_token_stream()
        );
    }
}

/// Whether brackets are nested deeper than `limit`.
fn is_deeper(tokens: TokenStream, limit: usize) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => limit == 0 || is_deeper(group.stream(), limit - 1),
        _ => false,
    })
}

/// The attribute's arguments, and the item; [`None`] if there is no item.
fn split(tokens: TokenStream) -> Option<(TokenStream, TokenStream)> {
    let mut before = TokenStream::new();
    let mut tokens = tokens.into_iter();

    while let Some(token) = tokens.next() {
        let attr = match (&token, tokens.clone().next()) {
            (TokenTree::Punct(pound), Some(TokenTree::Group(attr))) if pound.as_char() == '#' => {
                attr
            }
            _ => {
                before.extend([token]);
                continue;
            }
        };
        let mut inner = attr.stream().into_iter();
        let is_ours = matches!(inner.next(), Some(TokenTree::Ident(name)) if name == "devres_lazy");
        match (is_ours, inner.next()) {
            (true, None) => {
                tokens.next();
                before.extend(tokens);
                return Some((TokenStream::new(), before));
            }
            (true, Some(TokenTree::Group(args))) if inner.next().is_none() => {
                tokens.next();
                before.extend(tokens);
                return Some((args.stream(), before));
            }
            _ => before.extend([token]),
        }
    }

    // An item without the attribute is one that has been taken off.
    (!before.is_empty()).then(|| (TokenStream::new(), before))
}

/// Tokens with groups that have no delimiters where they are asked for.
fn with_groups(tokens: TokenStream) -> TokenStream {
    let mut with = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();

    while let Some(token) = tokens.next() {
        let is_asked = matches!(&token, TokenTree::Ident(name) if name == GROUP);
        let token = match (is_asked, tokens.peek(), token) {
            (true, Some(TokenTree::Group(group)), _) => {
                let mut bare = Group::new(Delimiter::None, with_groups(group.stream()));
                bare.set_span(group.span());
                tokens.next();
                bare.into()
            }
            (_, _, TokenTree::Group(group)) => {
                // Only a parsed group has a span for each of its delimiters.
                let inner = with_groups(group.stream());
                let mut new = Group::new(group.delimiter(), inner);
                new.set_span(group.span());
                new.into()
            }
            (_, _, token) => token,
        };
        with.extend([token]);
    }

    with
}

#[cfg(test)]
mod tests {
    use super::*;
    use proc_macro2::Span;
    use std::panic::catch_unwind;

    const RIGHT: &str = "#[devres_lazy] #[pin_data] struct Queue {
        #[lazy(fn table -> Table, device = &self.dev, init = Table)] table: Table,
    }";
    const WRONG: &str = "#[devres_lazy] #[pin_data] struct Queue {
        #[lazy(fn table -> Table, devise = &self.dev, init = Table)] table: Table,
    }";

    #[track_caller]
    fn caught(text: &str, expected: Expected, expander: Expander) {
        assert!(catch_unwind(|| check_text(text, expected, expander)).is_err());
    }

    #[test]
    fn broken_expanders_are_caught() {
        check_text(RIGHT, Expected::Success, expand_item);
        check_text(WRONG, Expected::Error, expand_item);

        // Does nothing.
        caught(RIGHT, Expected::Any, |_, item| (item, None));
        // Panics.
        caught(RIGHT, Expected::Any, |_, _| panic!("a panic"));
        // Writes something that is no item.
        caught(RIGHT, Expected::Any, |_, _| (quote::quote!(struct A), None));
        // Refuses what is right, and does not refuse what is wrong.
        caught(RIGHT, Expected::Success, |_, item| {
            let error = syn::Error::new_spanned(&item, "no");
            (item, Some(error))
        });
        caught(WRONG, Expected::Error, |args, item| {
            (expand_item(args, item).0, None)
        });
        // Points at nothing.
        caught(WRONG, Expected::Error, |args, item| {
            let (expansion, error) = expand_item(args, item);
            let error = error.map(|error| syn::Error::new(Span::call_site(), error));
            (expansion, error)
        });
    }
}
