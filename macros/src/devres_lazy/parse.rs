// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Tokens to the entries as written. Knows the grammar, and no further rules: a key may be there
//! twice or not at all. Syntax errors do not end the parse: it goes on behind the next comma.

use super::diagnostics::{
    Errors,
    Reported, //
};
use proc_macro2::{
    Delimiter,
    Group,
    Span,
    TokenStream,
    TokenTree, //
};
use syn::{
    ext::IdentExt,
    parenthesized,
    parse::{
        Parse,
        ParseStream,
        Parser, //
    },
    token,
    Attribute,
    Error,
    Expr,
    Field,
    Generics,
    Ident,
    Item,
    Meta,
    Path,
    Result,
    Token,
    Type,
    Visibility, //
};

/// The keys of `#[lazy(..)]` that take a value; the accessor is the `fn` among them.
pub(crate) const KEYS: [&str; 7] = [
    "device",
    "init",
    "map",
    "peek",
    "try_access",
    "revoke",
    "evict",
];

/// The arguments of `#[devres_lazy(..)]`.
#[derive(Default)]
pub(crate) struct Args {
    /// `crate = path`.
    pub(crate) krate: Option<Path>,
}

/// One `#[lazy(..)]`, as written.
#[derive(Default)]
pub(crate) struct LazyAttr {
    pub(crate) entries: Vec<Entry>,
    /// The keys of entries that could not be read; [`None`] if not even the key could.
    broken: Vec<(Option<String>, Reported)>,
}

impl LazyAttr {
    /// Returns the proof if an error says already what is wrong with `key`.
    pub(crate) fn broken(&self, key: &str) -> Option<Reported> {
        self.broken
            .iter()
            .find(|(broken, _)| broken.as_ref().is_none_or(|broken| broken == key))
            .map(|&(_, reported)| reported)
    }

    /// Whether there is an entry for `key`, which could not be read.
    pub(crate) fn means(&self, key: &str) -> bool {
        let mut broken = self.broken.iter().filter_map(|(broken, _)| broken.as_ref());
        broken.any(|broken| broken == key)
    }
}

/// One entry of `#[lazy(..)]`.
pub(crate) struct Entry {
    /// The token that says which one it is; `fn` for the accessor.
    pub(crate) key: Ident,
    pub(crate) value: Value,
}

/// The value of an entry.
pub(crate) enum Value {
    Fn {
        vis: Visibility,
        name: Ident,
        target: Option<Type>,
    },
    Device(Expr),
    Init(Expr),
    Map(Type),
    Peek(Ident),
    TryAccess(Ident),
    Revoke(Ident),
    Evict(Ident),
}

impl Parse for Args {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut args = Self::default();

        while !input.is_empty() {
            let key = input
                .call(Ident::parse_any)
                .map_err(|error| Error::new(error.span(), "expected `crate = path`"))?;
            if key != "crate" {
                return Err(Error::new(
                    key.span(),
                    format!("unknown option `{key}`: expected `crate = path`"),
                ));
            }
            if args.krate.is_some() {
                return Err(Error::new(key.span(), "`crate` is given twice"));
            }

            args.krate = Some(path(input, &key)?);

            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }

        Ok(args)
    }
}

/// Parses the arguments of `#[devres_lazy(..)]`.
pub(crate) fn args(tokens: TokenStream, errors: &mut Errors) -> Args {
    let last = tokens.clone().into_iter().last();
    let Some(last) = last.map(|token| token.span()) else {
        return Args::default();
    };

    // An error at the end of a list points at the closing bracket, for which the last token stands.
    let mut list = Group::new(Delimiter::Parenthesis, tokens);
    list.set_span(last);
    let parser = |input: ParseStream<'_>| {
        let content;
        parenthesized!(content in input);
        content.parse()
    };
    parser
        .parse2(TokenTree::from(list).into())
        .unwrap_or_else(|error| {
            errors.add(error);
            Args::default()
        })
}

/// Parses the annotated item.
pub(crate) fn item(tokens: TokenStream) -> Result<Item> {
    syn::parse2(tokens)
}

/// Parses the `#[lazy(..)]` attributes of a field; [`None`] if it has none.
pub(crate) fn lazy_attr(field: &Field, errors: &mut Errors) -> Option<LazyAttr> {
    let mut attrs = field.attrs.iter().filter(|attr| is_lazy(attr));

    for attr in field.attrs.iter().filter(|attr| hides_lazy(attr)) {
        errors.report(
            attr,
            "`#[lazy(..)]` cannot depend on a `cfg_attr`: put `#[cfg(..)]` on the field",
        );
    }

    let attr = attrs.next()?;
    for again in attrs {
        errors.report(again, "the field is already annotated with `#[lazy(..)]`");
    }

    let Meta::List(list) = &attr.meta else {
        let reported = errors.report(
            attr,
            "expected `#[lazy(fn name -> Target, device = .., init = ..)]`",
        );
        return Some(LazyAttr {
            broken: vec![(None, reported)],
            ..LazyAttr::default()
        });
    };

    // Unlike `parse2()` it knows where the list ends, to say what is missing there.
    let mut lazy = LazyAttr::default();
    let all = list.parse_args_with(|input: ParseStream<'_>| {
        lazy = entries(input, errors);
        Ok(())
    });
    // Tokens are left in a group. Where an entry is broken, that is why.
    if let (Err(error), true) = (all, lazy.broken.is_empty()) {
        lazy.broken.push((None, errors.add(error)));
    }
    Some(lazy)
}

/// Whether this is `#[lazy ..]`.
pub(crate) fn is_lazy(attr: &Attribute) -> bool {
    attr.path().is_ident("lazy")
}

/// Whether this is a `#[cfg_attr(.., lazy ..)]`.
pub(crate) fn hides_lazy(attr: &Attribute) -> bool {
    let Meta::List(list) = &attr.meta else {
        return false;
    };

    list.path.is_ident("cfg_attr")
        && list
            .tokens
            .clone()
            .into_iter()
            .any(|token| matches!(token, TokenTree::Ident(ident) if ident == "lazy"))
}

/// Parses all entries, reporting errors entry by entry.
fn entries(input: ParseStream<'_>, errors: &mut Errors) -> LazyAttr {
    let mut attr = LazyAttr::default();

    while !input.is_empty() {
        let mut meant = None;
        match entry(input, &mut meant, errors) {
            Ok(entry) => attr.entries.push(entry),
            Err(error) => {
                attr.broken.push((meant, errors.add(error)));
                skip_entry(input);
                continue;
            }
        }

        if let Err(error) = end_of_entry(input) {
            errors.add(error);
            if !at_entry(input) {
                skip_entry(input);
            }
        }
    }

    attr
}

/// Parses one entry. Says in `meant` which one it is as soon as that is known.
fn entry(input: ParseStream<'_>, meant: &mut Option<String>, errors: &mut Errors) -> Result<Entry> {
    if at_accessor(input) {
        *meant = Some("fn".to_owned());
        return accessor(input, errors);
    }

    let key = input
        .call(Ident::parse_any)
        .map_err(|error| Error::new(error.span(), expected_entry()))?;
    let written = key.to_string();
    let Some(known) = nearest(&written) else {
        let error = format!("unknown key `{written}`: {}", expected_entry());
        *meant = Some(written);
        return Err(Error::new(key.span(), error));
    };
    *meant = Some(known.to_owned());

    // A misspelt entry counts as the entry that was meant, so that the entry is not missing too.
    if written != known {
        errors.report(
            &key,
            format!("unknown key `{written}`: did you mean `{known}`?"),
        );
    }
    let key = Ident::new(known, key.span());

    let value = match known {
        "device" => Value::Device(expression(input, &key, "an expression over `self`")?),
        "init" => Value::Init(expression(input, &key, "an initialiser")?),
        "map" => Value::Map(marker(input, &key)?),
        "peek" => Value::Peek(function(input, &key)?),
        "try_access" => Value::TryAccess(function(input, &key)?),
        "revoke" => Value::Revoke(function(input, &key)?),
        // There is no other in `KEYS`.
        _ => Value::Evict(function(input, &key)?),
    };

    Ok(Entry { key, value })
}

/// The message that lists the possible entries.
fn expected_entry() -> String {
    format!("expected `fn name` or one of `{}`", KEYS.join("`, `"))
}

/// Whether an accessor follows.
fn at_accessor(input: ParseStream<'_>) -> bool {
    input.peek(Token![pub]) || input.peek(Token![fn]) || at_qualifier(input)
}

/// Whether a qualifier follows that other functions have.
fn at_qualifier(input: ParseStream<'_>) -> bool {
    input.peek(Token![const]) || input.peek(Token![async]) || input.peek(Token![unsafe])
}

/// Parses `[vis] fn name [-> Target]`.
///
/// Where more of a function is written there is an error, and the accessor nevertheless.
fn accessor(input: ParseStream<'_>, errors: &mut Errors) -> Result<Entry> {
    let vis = input.parse()?;
    while at_qualifier(input) {
        let qualifier = input.call(Ident::parse_any)?;
        errors.report(
            &qualifier,
            format!("`{qualifier}` does not belong here: accessors are plain functions"),
        );
    }

    let key = Ident::new("fn", input.parse::<Token![fn]>()?.span);
    if !input.peek(Ident::peek_any) {
        return Err(Error::new(
            if ends(input) {
                key.span()
            } else {
                input.span()
            },
            "`fn` has no name: expected `fn name` or `fn name -> Target`",
        ));
    }
    let name: Ident = input.parse()?;

    let signature = input.span();
    let generics: Generics = input.parse()?;
    let params: Option<Group> = input
        .peek(token::Paren)
        .then(|| input.parse())
        .transpose()?;
    if generics.lt_token.is_some() || params.is_some() {
        errors.add(Error::new(
            signature,
            format!("expected `-> Target` or `,`: the parameters of `{name}` are always the same"),
        ));
    }

    let target = match input.parse::<Option<Token![->]>>()? {
        Some(arrow) if ends(input) => {
            errors.report(arrow, "`->` has no type: name what the accessor lends");
            None
        }
        Some(_) => Some(input.parse()?),
        None => None,
    };

    Ok(Entry {
        key,
        value: Value::Fn { vis, name, target },
    })
}

/// Parses `= path`.
fn path(input: ParseStream<'_>, key: &Ident) -> Result<Path> {
    const WHAT: &str = "the path of the runtime";

    equals(input, key, WHAT)?;
    input
        .call(Path::parse_mod_style)
        .map_err(|error| takes(key, WHAT, error.span()))
}

/// Parses `= expression`.
fn expression(input: ParseStream<'_>, key: &Ident, what: &str) -> Result<Expr> {
    equals(input, key, what)?;
    input.parse()
}

/// Parses `= Marker`.
fn marker(input: ParseStream<'_>, key: &Ident) -> Result<Type> {
    const WHAT: &str = "the type that implements `Map<Self>`";

    equals(input, key, WHAT)?;
    input
        .parse()
        .map_err(|error| takes(key, WHAT, error.span()))
}

/// Parses `= name`.
fn function(input: ParseStream<'_>, key: &Ident) -> Result<Ident> {
    const WHAT: &str = "the name that the function is to have";

    equals(input, key, WHAT)?;
    let name: Ident = input
        .parse()
        .map_err(|error| takes(key, WHAT, error.span()))?;
    if input.peek(Token![::]) {
        return Err(takes(key, WHAT, name.span()));
    }

    Ok(name)
}

/// Something else than `what` is the value of `key`.
fn takes(key: &Ident, what: &str, span: Span) -> Error {
    Error::new(span, format!("`{key}` takes {what}"))
}

/// Parses the `=` behind a key, which `what` has to follow.
fn equals(input: ParseStream<'_>, key: &Ident, what: &str) -> Result<()> {
    if !ends(input) && !input.peek(Token![=]) {
        return Err(input.error(format!("expected `=`: `{key}` takes {what}")));
    }
    input.parse::<Option<Token![=]>>()?;

    if ends(input) {
        return Err(Error::new(
            key.span(),
            format!("`{key}` has no value: it takes {what}"),
        ));
    }

    Ok(())
}

/// Whether the entry ends here.
fn ends(input: ParseStream<'_>) -> bool {
    input.is_empty() || input.peek(Token![,])
}

/// Whether an entry begins here, going by its first tokens.
fn at_entry(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();

    at_accessor(input)
        || ahead
            .call(Ident::parse_any)
            .is_ok_and(|key| ahead.peek(Token![=]) || KEYS.iter().any(|known| key == known))
}

/// Parses the comma behind an entry, or the end.
fn end_of_entry(input: ParseStream<'_>) -> Result<()> {
    if input.is_empty() {
        return Ok(());
    }

    input.parse::<Token![,]>().map(|_| ())
}

/// Skips to behind the comma that the next entry follows.
fn skip_entry(input: ParseStream<'_>) {
    while let Ok(token) = input.parse::<TokenTree>() {
        let comma = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ',');
        // Not every comma is one of ours: `map = Marker<A, B>`.
        if comma && at_entry(input) {
            break;
        }
    }
}

/// The key that `unknown` is a misspelling of, if it is close to one.
fn nearest(unknown: &str) -> Option<&'static str> {
    KEYS.into_iter()
        .map(|key| (distance(key, unknown), key))
        .min()
        .filter(|&(distance, key)| distance <= key.len() / 2)
        .map(|(_, key)| key)
}

/// The number of characters to insert, delete or replace to get from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();

    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }

    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_keys_name_the_nearest() {
        assert_eq!(nearest("devise"), Some("device"));
        assert_eq!(nearest("tryaccess"), Some("try_access"));
        assert_eq!(nearest("int"), Some("init"));
        assert_eq!(nearest("lock"), None);
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("peek", "peek"), 0);
        assert_eq!(distance("peek", "pek"), 1);
        assert_eq!(distance("map", "peek"), 4);
        assert_eq!(distance("device", "vice"), 2);
    }
}
