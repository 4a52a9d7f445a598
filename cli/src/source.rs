// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A file as it is, and as the lexer sees it.

use crate::{
    report::{Diagnostic, Failure},
    shebang,
};
use anyhow::{Context, Result};
use proc_macro2::{Span, TokenStream, TokenTree};
use std::{
    fs,
    ops::Range,
    path::{self, Path, PathBuf},
    str,
};

/// A byte order mark.
const BOM: &str = "\u{feff}";

/// How deep brackets may be nested: what parses the file is recursive.
const MAX_DEPTH: usize = 500;

/// A source file.
pub struct Source {
    pub(crate) path: PathBuf,
    /// The text as it is, or is to be, on disk.
    raw: String,
    /// Without a byte order mark, and with `\n` at the end of lines, as rustc reads it.
    pub(crate) text: String,
    /// Whether items have been expanded in it, so that its lines are not those on disk.
    is_edited: bool,
    /// Where in `text` a `\n` was a `\r\n`.
    carriage_returns: Vec<usize>,
}

impl Source {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is not UTF-8.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = fs::read(path).map_err(|error| {
            let message = format!("cannot read `{}`: {error}", path.display());
            Failure::without_source(message)
        })?;

        Self::from_bytes(path, bytes)
    }

    /// Whether the file is one of the kernel's own crate, which that calls `crate`.
    pub(crate) fn is_of_kernel(&self) -> bool {
        let path = path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        let folders: Vec<_> = path.iter().collect();

        folders.windows(2).any(|pair| pair == ["rust", "kernel"])
    }

    /// Takes `bytes` for the content of the file at `path`.
    ///
    /// # Errors
    ///
    /// If they are not UTF-8.
    pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self, Failure> {
        let raw = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let diagnostic = Diagnostic::new(
                "this is not UTF-8",
                at..at + char::REPLACEMENT_CHARACTER.len_utf8(),
            );
            Failure::new(path, &text, vec![diagnostic])
        })?;

        let mut text = String::with_capacity(raw.len());
        let mut carriage_returns = Vec::new();
        for line in raw.strip_prefix(BOM).unwrap_or(&raw).split_inclusive('\n') {
            match line.strip_suffix("\r\n") {
                Some(line) => {
                    text.push_str(line);
                    carriage_returns.push(text.len());
                    text.push('\n');
                }
                None => text.push_str(line),
            }
        }

        Ok(Self {
            path: path.to_owned(),
            raw,
            text,
            is_edited: false,
            carriage_returns,
        })
    }

    /// Its tokens, with spans that are ranges of [`text`](Self::text).
    pub(crate) fn tokens(&self) -> Result<TokenStream, Failure> {
        let mut text = self.text.clone();
        // The lexer does not know of shebangs.
        let shebang = shebang::length(&text);
        text.replace_range(..shebang, &" ".repeat(shebang));

        let tokens: TokenStream = text.parse().map_err(|error: proc_macro2::LexError| {
            self.failure(vec![self.at(
                error.span(),
                "this is no token, or a bracket or quote without its other half",
            )])
        })?;

        match too_deep(tokens.clone()) {
            Some(span) => Err(self.failure(vec![self.at(
                span,
                &format!("brackets are nested more than {MAX_DEPTH} deep here"),
            )])),
            None => Ok(tokens),
        }
    }

    /// Parses the file.
    pub(crate) fn parse(&self) -> Result<(TokenStream, syn::File), Failure> {
        let tokens = self.tokens()?;
        let file = syn::parse2(tokens.clone()).map_err(|error| self.error(error))?;

        Ok((tokens, file))
    }

    /// Reports these diagnostics about the source.
    pub(crate) fn failure(&self, mut diagnostics: Vec<Diagnostic>) -> Failure {
        if self.is_edited {
            for diagnostic in &mut diagnostics {
                diagnostic.add("this is a line of the file with other items expanded");
            }
        }

        Failure::new(&self.path, &self.text, diagnostics)
    }

    /// Reports an error of a parser, or of the macro, about the source.
    pub(crate) fn error(&self, error: syn::Error) -> Failure {
        let diagnostics = error
            .into_iter()
            .map(|error| self.at(error.span(), &error.to_string()))
            .collect();

        self.failure(diagnostics)
    }

    /// A message about the source at `span`.
    pub(crate) fn at(&self, span: Span, message: &str) -> Diagnostic {
        let range = span.byte_range();
        // Where the input ends too early, there is no token to point at.
        let range = if range == (0..0) {
            self.text.trim_end().len()..self.text.len()
        } else {
            range
        };

        Diagnostic::new(message, range)
    }

    /// The file as it is on disk.
    pub(crate) fn as_on_disk(&self) -> &str {
        &self.raw
    }

    /// The file with some ranges of [`text`](Self::text) replaced, which are in order and do not
    /// overlap.
    pub(crate) fn edited(&self, edits: Vec<(Range<usize>, String)>) -> Result<Self> {
        let mut edited = String::new();
        let mut done = 0;
        for (range, text) in edits {
            let range = self.in_raw(range.start)..self.in_raw(range.end);
            edited.push_str(self.raw.get(done..range.start).context("edits overlap")?);
            // The new lines end as the first edited line does.
            let mut lines = self.raw[range.start..].split_inclusive('\n');
            if lines.next().is_some_and(|line| line.ends_with("\r\n")) {
                edited.push_str(&text.replace('\n', "\r\n"));
            } else {
                edited.push_str(&text);
            }
            done = range.end;
        }
        edited.push_str(&self.raw[done..]);

        let mut source = Self::from_bytes(&self.path, edited.into_bytes())?;
        source.is_edited = true;
        Ok(source)
    }

    /// The offset in the file on disk of `offset` in [`text`](Self::text).
    fn in_raw(&self, offset: usize) -> usize {
        let bom = if self.raw.starts_with(BOM) {
            BOM.len()
        } else {
            0
        };

        bom + offset + self.carriage_returns.partition_point(|&at| at < offset)
    }
}

/// The first bracket that is nested too deep.
fn too_deep(tokens: TokenStream) -> Option<Span> {
    let mut open = vec![tokens.into_iter()];
    while let Some(innermost) = open.last_mut() {
        match innermost.next() {
            Some(TokenTree::Group(group)) if open.len() > MAX_DEPTH => {
                return Some(group.span_open())
            }
            Some(TokenTree::Group(group)) => open.push(group.stream().into_iter()),
            Some(_) => (),
            None => {
                open.pop();
            }
        }
    }

    None
}
