// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A file with its annotated items expanded; everything else in it stays as it is.

use crate::{
    declared,
    expand::{
        self,
        Expansion, //
    },
    find::{
        Annotated,
        Found, //
    },
    imports,
    marks::{
        self,
        Lines,
        Marker, //
    },
    print::{
        comments,
        Printer, //
    },
    report::{
        Diagnostic,
        Failure, //
    },
    rustfmt,
    same,
    source::Source, //
};
use anyhow::{
    Error,
    Result, //
};
use proc_macro2::{
    Span,
    TokenStream, //
};
use quote::ToTokens;
use std::collections::BTreeSet;
use syn::{
    parse::Parser,
    Path, //
};

/// What to expand, and to what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Where the runtime is, unless an item says so itself; without this, at `::devres_lazy`.
    pub krate: Option<String>,
    /// Which items; without any, all of them.
    pub items: Vec<String>,
}

impl Options {
    /// The path of the runtime. A plain name is that of a crate.
    fn krate(&self) -> Result<Path, Failure> {
        let written = self.krate.as_deref().unwrap_or("devres_lazy");
        let path = Path::parse_mod_style.parse_str(written).map_err(|_| {
            Failure::without_source(format!("`{written}` is not a path of modules"))
        })?;

        let is_relative = path.leading_colon.is_some()
            || path.segments.len() > 1
            || ["crate", "self", "super"].contains(&written);
        let path = if is_relative {
            path.to_token_stream()
        } else {
            quote::quote!(::#path)
        };

        // Its tokens are not of the file that is printed.
        Path::parse_mod_style
            .parse2(here(path))
            .map_err(Failure::without_source)
    }
}

/// Tokens that are of no file.
fn here(tokens: TokenStream) -> TokenStream {
    tokens
        .into_iter()
        .map(|mut token| {
            token.set_span(Span::call_site());
            token
        })
        .collect()
}

/// What the macro gives rustc for an item under `#[devres_lazy(args)]`.
#[must_use]
pub fn as_rustc(krate: Path, args: TokenStream, item: TokenStream) -> TokenStream {
    expand::devres_lazy(krate, args, item)
}

/// Whether there is anything in a file that would have to be expanded.
///
/// # Errors
///
/// A [`Failure`] that says why the file cannot be parsed.
pub fn is_annotated(source: &Source) -> Result<bool, Failure> {
    let (_, file) = source.parse()?;
    let found = Found::in_file(&file);

    Ok(!found.items.is_empty() || !found.unreachable.is_empty())
}

/// Who gives what is printed its layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The toolchain's rustfmt.
    Rustfmt,
    /// Nobody: for tests that print many files, as each call of rustfmt is a process.
    Nobody,
}

/// Expands the annotated items of a file.
///
/// # Errors
///
/// A [`Failure`] that says all that is wrong with the file; or why rustfmt cannot be run.
pub fn expand(source: &Source, options: &Options) -> Result<String> {
    expand_with(source, options, Format::Rustfmt)
}

/// As [`expand()`], with a layout by `format`.
///
/// # Errors
///
/// As [`expand()`].
pub fn expand_with(source: &Source, options: &Options, format: Format) -> Result<String> {
    let krate = options.krate()?;
    let (tokens, file) = source.parse()?;
    let found = Found::in_file(&file);
    let chosen = choose(source, &found, options)?;

    let marks = Lines::new(&source.text);
    let declared = declared::names(&file);
    let mut edits = Vec::new();
    let mut failures = Vec::new();
    for annotated in &chosen {
        let marker = Marker::new(&declared);
        let Expansion {
            tokens: expansion,
            errors,
        } = expand::expand(
            krate.clone(),
            annotated.args.clone(),
            annotated.item.clone(),
            &marker,
        );
        if let Some(error) = errors.into_error() {
            failures.push(source.error(error));
            continue;
        }

        let printer = || Printer::new(&source.text, tokens.clone(), &annotated.range, &marks);
        let layout = Layout::new(source, annotated, &marks, &marker, format);
        let (item, generated) = marks::split(expansion);
        let item = layout.apply(&printer().item(item.clone()), item)?;
        let generated = layout.apply(&printer().generated(generated.clone()), generated)?;
        let text = format!("{item}\n\n{}{generated}", layout.indent);
        edits.push((annotated.range.clone(), text));
    }
    if let Some(failure) = Failure::all(failures) {
        return Err(failure.into());
    }

    if chosen.len() == found.items.len() && found.unreachable.is_empty() {
        edits.extend(imports::edits(&source.text, tokens, &file));
    }
    Ok(source.edited(edits))
}

/// The items that are to be expanded.
fn choose<'a>(
    source: &Source,
    found: &'a Found,
    options: &Options,
) -> Result<Vec<&'a Annotated>, Failure> {
    if options.items.is_empty() {
        let complaints = found.complaints(source);
        if !complaints.is_empty() {
            return Err(source.failure(complaints));
        }
    }
    if found.items.is_empty() {
        let diagnostic = Diagnostic::new("nothing in this file is annotated", 0..0)
            .help("put `#[devres_lazy]` on a struct with lazy fields");
        return Err(source.failure(vec![diagnostic]));
    }

    let names: BTreeSet<_> = found.items.iter().map(|item| item.name.as_str()).collect();
    for name in &options.items {
        if !names.contains(name.as_str()) {
            let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            return Err(Failure::without_source(format!(
                "there is no annotated item `{name}` in `{}`\n  = help: there is {}",
                source.path.display(),
                names.join(", ")
            )));
        }
    }

    Ok(found
        .items
        .iter()
        .filter(|item| options.items.is_empty() || options.items.contains(&item.name))
        .collect())
}

/// How the text of an expanded item is laid out.
struct Layout<'a> {
    source: &'a Source,
    annotated: &'a Annotated,
    marks: &'a Lines,
    marker: &'a Marker<'a>,
    format: Format,
    /// What is in front of the item, and of what is generated beside it.
    indent: &'a str,
}

impl<'a> Layout<'a> {
    fn new(
        source: &'a Source,
        annotated: &'a Annotated,
        marks: &'a Lines,
        marker: &'a Marker<'a>,
        format: Format,
    ) -> Self {
        let before = &source.text[..annotated.range.start];
        let line = &before[before.rfind('\n').map_or(0, |at| at + 1)..];

        Self {
            source,
            annotated,
            marks,
            marker,
            format,
            indent: &line[..line.len() - line.trim_start().len()],
        }
    }

    /// Formats the text of some tokens, and checks that it still says the same.
    fn apply(&self, text: &str, tokens: TokenStream) -> Result<String> {
        let expected = same::tokens(marks::without(tokens))?;
        let is_same = |text: &str| {
            text.parse()
                .is_ok_and(|tokens| same::tokens(tokens).is_ok_and(|tokens| tokens == expected))
        };

        // What rustfmt would change beside the layout, or lose, stays as the author has written it.
        let formatted = match self.format {
            Format::Rustfmt => rustfmt::items(text, self.indent, &self.source.path)?,
            Format::Nobody => text.to_owned(),
        };
        let text = if is_same(&formatted) && comments(&formatted) == comments(text) {
            formatted
        } else {
            text.to_owned()
        };
        let text = self.marks.fill_in(&text, self.marker);

        if !is_same(&text) {
            return Err(Error::msg(format!(
                "`{}` in `{}` cannot be printed as it is compiled: please report this",
                self.annotated.name,
                self.source.path.display()
            )));
        }
        Ok(text.trim_end().to_owned())
    }
}
