// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The printed pieces for tokens: the author's text, and new text.

use crate::{
    marks::{self, Mark},
    written::{doc_comment, Written},
};
use proc_macro2::{Delimiter, Group, Spacing, Span, TokenStream, TokenTree};

/// A piece of the printed text.
pub(crate) enum Piece {
    /// A token of the source.
    Written(usize),
    /// Another token, and whether the next one belongs to it, as in `::`.
    New(String, Spacing),
    /// A line of documentation.
    Doc(String),
    Mark(Mark),
}

impl Piece {
    /// Which token of the source this is, if it is one.
    pub(crate) fn written(&self) -> Option<usize> {
        match self {
            Self::Written(index) => Some(*index),
            _ => None,
        }
    }

    /// Its text.
    pub(crate) fn text<'a>(&'a self, written: &Written<'a>) -> &'a str {
        match self {
            Self::Written(index) => written.token(*index),
            Self::New(token, _) => token,
            Self::Doc(_) | Self::Mark(_) => "",
        }
    }
}

/// Splits tokens into pieces.
pub(crate) fn pieces(written: &Written<'_>, tokens: TokenStream) -> Vec<Piece> {
    let mut splitter = Splitter {
        written,
        pieces: Vec::new(),
    };
    splitter.tokens(tokens);

    splitter.pieces
}

struct Splitter<'a> {
    written: &'a Written<'a>,
    pieces: Vec<Piece>,
}

impl Splitter<'_> {
    fn tokens(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            if let Some(mark) = marks::read(&token) {
                self.pieces.push(Piece::Mark(mark));
                continue;
            }

            if let Some(range) = doc_comment(self.written.text(), &token) {
                if let Some(index) = self.written.at(range.start) {
                    self.pieces.push(Piece::Written(index));
                    tokens
                        .by_ref()
                        .find(|token| matches!(token, TokenTree::Group(_)));
                    continue;
                }
            }

            let is_pound = matches!(&token, TokenTree::Punct(pound) if pound.as_char() == '#');
            if let (true, Some(TokenTree::Group(attr))) = (is_pound, tokens.peek()) {
                let is_new = self.written.find(token.span(), "#").is_none();
                if let Some(line) = doc_line(attr).filter(|_| is_new) {
                    self.pieces.push(Piece::Doc(line));
                    tokens.next();
                    continue;
                }
            }

            match token {
                TokenTree::Group(group) => self.group(&group),
                token => {
                    let spacing = match &token {
                        TokenTree::Punct(punct) => punct.spacing(),
                        _ => Spacing::Alone,
                    };
                    self.token(token.span(), token.to_string(), spacing);
                }
            }
        }
    }

    fn group(&mut self, group: &Group) {
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::None => return self.tokens(group.stream()),
        };

        self.token(group.span_open(), open.into(), Spacing::Alone);
        self.tokens(group.stream());
        self.token(group.span_close(), close.into(), Spacing::Alone);
    }

    fn token(&mut self, span: Span, text: String, spacing: Spacing) {
        self.pieces.push(match self.written.find(span, &text) {
            Some(index) => Piece::Written(index),
            None => Piece::New(text, spacing),
        });
    }
}

/// The line behind `///`, if that says the same as this attribute.
fn doc_line(attr: &Group) -> Option<String> {
    let attr: syn::MetaNameValue = syn::parse2(attr.stream()).ok()?;
    let syn::Expr::Lit(syn::ExprLit {
        lit: syn::Lit::Str(line),
        ..
    }) = attr.value
    else {
        return None;
    };

    let line = line.value();
    let is_line = !line.contains(['\n', '\r']) && (line.is_empty() || line.starts_with(' '));
    (attr.path.is_ident("doc") && is_line).then_some(line)
}
