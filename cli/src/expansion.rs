// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A file with its annotated items expanded; everything else in it stays as it is.

use crate::{
    anchors::Anchors,
    comments, declared,
    devres_lazy::{self, Expansion},
    edit,
    find::{Annotated, Found, RUNTIME},
    forbidden,
    generated::Generated,
    imports,
    layout::Layout,
    locals,
    marks::{Lines, Marks},
    needed,
    pieces::pieces,
    remarks, renamed,
    report::{Diagnostic, Failure},
    rustfmt::Rustfmt,
    short::{Crates, Short},
    source::Source,
    trees,
    written::{indent_at, Written},
};
use anyhow::Result;
use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use std::{collections::BTreeSet, iter, ops::Range};
use syn::{spanned::Spanned, File, ItemUse};

/// The items to expand, and the edition of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The names of the items to expand. If there are none, all items are expanded.
    pub items: Vec<String>,
    /// The edition of the file; without this, that of rustfmt's configuration or the package, or
    /// another one in which rustfmt accepts the file.
    pub edition: Option<String>,
}

/// Returns the tokens that the macro gives rustc for an item under `#[devres_lazy(args)]`.
#[must_use]
pub fn as_rustc(args: TokenStream, item: TokenStream) -> TokenStream {
    devres_lazy::expand(args, item)
}

/// Expands an item under `#[devres_lazy(args)]`, as [`as_rustc()`] does.
///
/// The errors are returned beside the tokens, not among them.
#[must_use]
pub fn expand_item(args: TokenStream, item: TokenStream) -> (TokenStream, Option<syn::Error>) {
    let Expansion {
        item,
        beside,
        errors,
    } = devres_lazy::expansion(args, item);

    (quote!(#item #beside), errors)
}

/// Whether there is anything in a file that would have to be expanded.
///
/// # Errors
///
/// A [`Failure`] that says why the file cannot be parsed.
pub fn is_annotated(source: &Source) -> Result<bool, Failure> {
    let (_, file) = source.parse()?;
    let found = Found::in_file(&file);

    Ok(!found.items.is_empty() || !complaints(source, &file, &found).is_empty())
}

/// The formatter of the printed text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The toolchain's rustfmt.
    Rustfmt,
    /// No formatter: for tests that print many files, as each call of rustfmt is a process.
    Nobody,
}

/// Expands the annotated items of a file.
///
/// # Errors
///
/// A [`Failure`] with all errors in the file; or the reason why rustfmt cannot be run.
pub fn expand(source: &Source, options: &Options) -> Result<String> {
    expand_with(source, options, Format::Rustfmt)
}

/// As [`expand()`], with a layout by `format`.
///
/// # Errors
///
/// As [`expand()`].
pub fn expand_with(source: &Source, options: &Options, format: Format) -> Result<String> {
    let printer = Printer {
        options,
        rustfmt: match format {
            Format::Rustfmt => Some(Rustfmt::new(&source.path, options.edition.as_deref())),
            Format::Nobody => None,
        },
    };

    let (_, file) = source.parse()?;
    ask_for_items(source, &file, options)?;
    let mut printed = None;
    while let Some(next) = printer.round(printed.as_ref().unwrap_or(source))? {
        printed = Some(next);
    }
    Ok(printed.as_ref().unwrap_or(source).as_on_disk().to_owned())
}

/// Returns a message for each attribute in a file that cannot be expanded.
fn complaints(source: &Source, file: &File, found: &Found) -> Vec<Diagnostic> {
    let mut complaints = found.complaints(source);
    complaints.extend(renamed::complaints(source, file, found));
    complaints
}

/// Fails if a file lacks an item that is to be expanded.
fn ask_for_items(source: &Source, file: &File, options: &Options) -> Result<(), Failure> {
    let found = Found::in_file(file);
    let names: BTreeSet<_> = found.items.iter().map(|item| item.name.as_str()).collect();
    let missing = options
        .items
        .iter()
        .find(|name| !names.contains(name.as_str()));

    if found.items.is_empty() || missing.is_some() {
        // The item may be in the file, in a place where it cannot be expanded.
        let complaints = complaints(source, file, &found);
        if !complaints.is_empty() {
            return Err(source.failure(complaints));
        }
    }
    if found.items.is_empty() {
        let diagnostic = Diagnostic::new("nothing in this file is annotated", 0..0)
            .help("put `#[devres_lazy]` on a struct with lazy fields");
        return Err(source.failure(vec![diagnostic]));
    }
    if let Some(name) = missing {
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        return Err(Failure::without_source(format!(
            "there is no annotated item `{name}` in `{}`\n  = help: there is {}",
            source.path.display(),
            names.join(", ")
        )));
    }

    Ok(())
}

/// The options and the formatter for printing a file.
struct Printer<'a> {
    options: &'a Options,
    rustfmt: Option<Rustfmt<'a>>,
}

impl Printer<'_> {
    /// Expands the annotated items that are in no other one, as rustc does. Nested and generated
    /// items are left to the next round. [`None`] if there are no more items.
    fn round(&self, source: &Source) -> Result<Option<Source>> {
        let (tokens, file) = source.parse()?;
        let found = Found::in_file(&file);
        if self.options.items.is_empty() {
            let complaints = complaints(source, &file, &found);
            if !complaints.is_empty() {
                return Err(source.failure(complaints).into());
            }
        }
        let chosen: Vec<_> = found
            .items
            .iter()
            .filter(|item| self.options.items.is_empty() || self.options.items.contains(&item.name))
            .collect();
        if chosen.is_empty() {
            return Ok(None);
        }

        let printable = printables(source, &file, &chosen)?;
        let needed = || printable.iter().find_map(|it| it.needed.clone());
        if let Some(edit) = imports::edit(source, &file, &chosen).or_else(needed) {
            let edit = self.import(source, &file, edit)?;
            return source.edited(vec![edit]).map(Some);
        }
        let lines = Lines::new(&source.text);
        let mut edits: Vec<(Range<usize>, String)> = Vec::new();
        for (annotated, printable) in iter::zip(chosen, printable) {
            let is_inside = |(outer, _): &(Range<usize>, _)| outer.contains(&annotated.range.start);
            if !edits.last().is_some_and(is_inside) {
                let text = self.print(source, tokens.clone(), annotated, printable, &lines)?;
                edits.push((annotated.range.clone(), text));
            }
        }
        source.edited(edits).map(Some)
    }

    /// Returns an edit of an import with rustfmt's layout, unless the import has another layout that
    /// the edit keeps.
    fn import(
        &self,
        source: &Source,
        file: &File,
        (range, text): (Range<usize>, String),
    ) -> Result<(Range<usize>, String)> {
        let (Some(rustfmt), Some(item)) = (&self.rustfmt, trees::find(file, &range)) else {
            return Ok((range, text));
        };
        let whole = item.span().byte_range();
        let [before, behind] = [whole.start..range.start, range.end..whole.end];
        let edited = format!("{}{text}{}", &source.text[before], &source.text[behind]);
        // An `#[allow(..)]` in front of the import leaves the layout alone, and so do comments that
        // are all that is left.
        if range.is_empty() || syn::parse_str::<ItemUse>(&edited).is_err() {
            return Ok((range, text));
        }

        let indent = indent_at(&source.text, whole.start);
        let written = &source.text[whole.clone()];
        if range != whole && rustfmt.import(written, indent)?.as_deref() != Some(written) {
            return Ok((range, text));
        }
        let formatted = rustfmt.import(&edited, indent)?;
        Ok(formatted.map_or((range, text), |text| (whole, text)))
    }

    /// Returns the text of an expanded item.
    fn print(
        &self,
        source: &Source,
        tokens: TokenStream,
        annotated: &Annotated,
        printable: Printable,
        lines: &Lines,
    ) -> Result<String> {
        let range = &annotated.range;
        let written = Written::new(&source.text, tokens, range);
        let Printable {
            item,
            beside,
            marks,
            ..
        } = printable;
        let (annotations, expressions) = annotated.values();
        let of_source = |ranges: Vec<Range<usize>>| -> Vec<_> {
            ranges.iter().map(|range| written.within(range)).collect()
        };
        let generated = Generated::new(
            &written,
            pieces(&written, beside.clone()),
            &of_source(expressions),
            lines,
        );
        let anchors = Anchors::new(
            &written,
            &of_source(annotations),
            &generated.printed(),
            &generated.in_place(),
        );

        let indent = indent_at(&source.text, range.start);
        let layout = Layout {
            rustfmt: self.rustfmt.as_ref(),
            lines,
            marks: &marks,
            indent,
            name: &format!("`{}` in `{}`", annotated.name, source.path.display()),
        };
        let edited = edit::item(&written, pieces(&written, item.clone()), &anchors, lines);
        let edited = layout.item(&edited, item)?;
        let generated = layout.generated(&generated, &anchors, beside)?;
        let text = format!("{edited}\n\n{indent}{generated}");

        Ok(with_all_comments(&source.text[range.clone()], text, indent))
    }
}

/// An expansion with plain names, short paths and comments.
struct Printable {
    item: TokenStream,
    beside: TokenStream,
    marks: Marks,
    /// An edit that imports more of the names in it.
    needed: Option<(Range<usize>, String)>,
}

/// Expands these items; or returns all errors in them.
fn printables(source: &Source, file: &File, chosen: &[&Annotated]) -> Result<Vec<Printable>> {
    let declared = declared::names(file);
    let mut failures = Vec::new();
    let mut printables = Vec::new();

    for annotated in chosen {
        let Expansion {
            item,
            beside,
            errors,
        } = devres_lazy::expansion(annotated.args.clone(), annotated.item.clone());
        let whole = quote!(#item #beside);
        if let Some(error) = errors {
            failures.push(source.error(error));
        } else if let Some(complaint) = forbidden::complaint(source, file, annotated, &whole) {
            failures.push(source.failure(vec![complaint]));
        } else {
            printables.push(printable(source, file, annotated, &declared, item, beside)?);
        }
    }

    match Failure::all(failures) {
        Some(failure) => Err(failure.into()),
        None => Ok(printables),
    }
}

/// Makes an expansion printable.
fn printable(
    source: &Source,
    file: &File,
    annotated: &Annotated,
    declared: &BTreeSet<String>,
    item: TokenStream,
    beside: TokenStream,
) -> Result<Printable> {
    let is_written = |token: &TokenTree| {
        let range = token.span().byte_range();
        !range.is_empty() && source.text.get(range) == Some(token.to_string().as_str())
    };
    let runtime = annotated.runtime();
    let crates = Crates {
        own: source.is_of_kernel().then_some(RUNTIME),
        runtime: Some(&runtime),
    };
    let short = Short::at(file, annotated.range.start, crates);
    let whole = quote!(#item #beside);
    let needed = needed::edit(source, file, annotated, &short, whole, &is_written);
    let [item, beside] =
        [item, locals::plain(beside, declared)?].map(|tokens| short.shorten(tokens, &is_written));

    let mut marks = Marks::default();
    Ok(Printable {
        item: comments::item(item, &mut marks),
        beside: comments::beside(beside, &mut marks)?,
        marks,
        needed,
    })
}

/// The text of an expanded item, below those comments of its source that have found no place in it.
fn with_all_comments(source: &str, text: String, indent: &str) -> String {
    let words = |text| -> Vec<_> {
        let comments = remarks::of(text).unwrap_or_default();
        comments.into_iter().map(remarks::words).collect()
    };
    let mut printed = words(&text);

    let mut above = String::new();
    for comment in remarks::of(source).unwrap_or_default() {
        let comment_words = remarks::words(comment);
        match printed.iter().position(|printed| *printed == comment_words) {
            Some(at) => drop(printed.swap_remove(at)),
            None => above.push_str(&format!("{comment}\n{indent}")),
        }
    }
    above + &text
}
