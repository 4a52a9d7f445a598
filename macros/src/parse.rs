// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Tokens to what was written. Knows the grammar, not what makes sense: a key may be there twice or
//! not at all. Syntax errors do not end the parse: it goes on behind the next comma.

use crate::diagnostics::Errors;
use proc_macro2::{
    TokenStream,
    TokenTree, //
};
use syn::{
    ext::IdentExt,
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
pub(crate) const KEYS: [&str; 6] = ["device", "init", "map", "peek", "try_access", "revoke"];

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
    broken: Vec<Option<&'static str>>,
}

impl LazyAttr {
    /// Whether an error says already what is wrong with `key`.
    pub(crate) fn is_broken(&self, key: &str) -> bool {
        self.broken
            .iter()
            .any(|broken| broken.is_none_or(|broken| broken == key))
    }
}

/// One entry of `#[lazy(..)]`.
pub(crate) struct Entry {
    /// The token that says which one it is; `fn` for the accessor.
    pub(crate) key: Ident,
    pub(crate) value: Value,
}

/// What an entry says.
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
}

impl Parse for Args {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut args = Self::default();

        while !input.is_empty() {
            let key = input.call(Ident::parse_any)?;
            if key != "crate" {
                return Err(Error::new(
                    key.span(),
                    format!("unknown option `{key}`: `#[devres_lazy]` takes `crate = path`"),
                ));
            }
            if args.krate.is_some() {
                return Err(Error::new(key.span(), "`crate` is given twice"));
            }

            expect_eq(input, &key)?;
            args.krate = Some(input.call(Path::parse_mod_style)?);

            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }

        Ok(args)
    }
}

/// Parses the arguments of `#[devres_lazy(..)]`.
pub(crate) fn args(tokens: TokenStream, errors: &mut Errors) -> Args {
    syn::parse2(tokens).unwrap_or_else(|error| {
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
        errors.report(
            attr,
            "expected `#[lazy(fn name -> Target, device = .., init = ..)]`",
        );
        return Some(LazyAttr {
            broken: vec![None],
            ..LazyAttr::default()
        });
    };

    let parser = |input: ParseStream<'_>| Ok(entries(input, errors));
    Some(parser.parse2(list.tokens.clone()).unwrap_or_default())
}

/// Whether this is `#[lazy ..]`.
pub(crate) fn is_lazy(attr: &Attribute) -> bool {
    attr.path().is_ident("lazy")
}

/// Whether this is a `#[cfg_attr(.., lazy ..)]`.
fn hides_lazy(attr: &Attribute) -> bool {
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
        match entry(input, &mut meant).and_then(|entry| end_of_entry(input).map(|()| entry)) {
            Ok(entry) => attr.entries.push(entry),
            Err(error) => {
                errors.add(error);
                attr.broken.push(meant);
                skip_entry(input);
            }
        }
    }

    attr
}

/// Parses one entry. Says in `meant` which one it is as soon as that is known.
fn entry(input: ParseStream<'_>, meant: &mut Option<&'static str>) -> Result<Entry> {
    if input.peek(Token![pub]) || input.peek(Token![fn]) {
        *meant = Some("fn");
        return accessor(input);
    }

    let key = input.call(Ident::parse_any)?;
    *meant = Some(nearest(&key.to_string()).unwrap_or(""));

    let value = match key.to_string().as_str() {
        "device" => Value::Device(value(input, &key, "an expression over `self`")?),
        "init" => Value::Init(value(input, &key, "an initialiser")?),
        "map" => Value::Map(value(input, &key, "the type that implements `Map<Self>`")?),
        "peek" => Value::Peek(function(input, &key)?),
        "try_access" => Value::TryAccess(function(input, &key)?),
        "revoke" => Value::Revoke(function(input, &key)?),
        unknown => {
            let hint = match nearest(unknown) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("expected `fn name` or one of `{}`", KEYS.join("`, `")),
            };
            return Err(Error::new(
                key.span(),
                format!("unknown key `{unknown}`: {hint}"),
            ));
        }
    };

    Ok(Entry { key, value })
}

/// Parses `[vis] fn name [-> Target]`.
fn accessor(input: ParseStream<'_>) -> Result<Entry> {
    let vis = input.parse()?;
    let key = Ident::new("fn", input.parse::<Token![fn]>()?.span);
    let name = input.parse()?;

    if input.peek(token::Paren) || input.peek(Token![<]) {
        return Err(input.error(format!(
            "expected `-> Target` or `,`: the parameters of `{name}` are always the same"
        )));
    }

    let target = if input.peek(Token![->]) {
        input.parse::<Token![->]>()?;
        Some(input.parse()?)
    } else {
        None
    };

    Ok(Entry {
        key,
        value: Value::Fn { vis, name, target },
    })
}

/// Parses `= value`.
fn value<T: Parse>(input: ParseStream<'_>, key: &Ident, what: &str) -> Result<T> {
    expect_eq(input, key)?;

    if input.is_empty() || input.peek(Token![,]) {
        return Err(Error::new(
            key.span(),
            format!("`{key}` has no value: expected {what}"),
        ));
    }

    input.parse()
}

/// Parses `= name`.
fn function(input: ParseStream<'_>, key: &Ident) -> Result<Ident> {
    expect_eq(input, key)?;
    input.parse().map_err(|error| {
        Error::new(
            error.span(),
            format!("`{key}` takes the name of a function"),
        )
    })
}

/// Parses the `=` behind a key.
fn expect_eq(input: ParseStream<'_>, key: &Ident) -> Result<()> {
    if !input.peek(Token![=]) {
        return Err(Error::new(
            key.span(),
            format!("expected a value: `{key} = ..`"),
        ));
    }

    input.parse::<Token![=]>().map(|_| ())
}

/// Parses the comma behind an entry, or the end.
fn end_of_entry(input: ParseStream<'_>) -> Result<()> {
    if input.is_empty() {
        return Ok(());
    }

    input.parse::<Token![,]>().map(|_| ())
}

/// Skips to behind the next comma.
fn skip_entry(input: ParseStream<'_>) {
    while let Ok(token) = input.parse::<TokenTree>() {
        if matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ',') {
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
    }
}
