// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Notes as tokens, as lines of unformatted text, and as the comments that they become.

use crate::{
    notes::Notes,
    wrap::wrap, //
};
use proc_macro2::{
    Delimiter,
    Group,
    Literal,
    TokenStream,
    TokenTree, //
};
use std::{
    cell::RefCell,
    collections::BTreeSet, //
};

/// How long a line may be.
const WIDTH: usize = 100;

/// What is between the code.
pub(crate) enum Mark {
    /// A comment, by its number.
    Comment(usize),
    EmptyLine,
}

/// Marks notes with tokens that no source contains: a group without delimiters.
pub(crate) struct Marker<'a> {
    comments: RefCell<Vec<String>>,
    declared: &'a BTreeSet<String>,
}

impl<'a> Marker<'a> {
    /// For an item of a file that declares these names.
    pub(crate) fn new(declared: &'a BTreeSet<String>) -> Self {
        Self {
            comments: RefCell::default(),
            declared,
        }
    }
}

impl Notes for Marker<'_> {
    fn comment(&self, text: String) -> TokenStream {
        let mut comments = self.comments.borrow_mut();
        let number = Literal::usize_unsuffixed(comments.len());
        comments.push(text);

        mark(TokenTree::from(number).into())
    }

    fn empty_line(&self) -> TokenStream {
        mark(TokenStream::new())
    }

    fn declared(&self) -> Option<&BTreeSet<String>> {
        Some(self.declared)
    }
}

/// The token for a mark.
fn mark(content: TokenStream) -> TokenStream {
    TokenTree::from(Group::new(Delimiter::None, content)).into()
}

/// Which mark this token is, if it is one.
pub(crate) fn read(token: &TokenTree) -> Option<Mark> {
    let TokenTree::Group(group) = token else {
        return None;
    };
    if group.delimiter() != Delimiter::None {
        return None;
    }

    let mut content = group.stream().into_iter();
    match (content.next(), content.next()) {
        (None, _) => Some(Mark::EmptyLine),
        (Some(TokenTree::Literal(number)), None) => {
            number.to_string().parse().ok().map(Mark::Comment)
        }
        _ => None,
    }
}

/// The item, and what is generated beside it: the first empty line is between them.
pub(crate) fn split(expansion: TokenStream) -> (TokenStream, TokenStream) {
    let mut tokens = expansion.into_iter();
    let item = tokens
        .by_ref()
        .take_while(|token| !matches!(read(token), Some(Mark::EmptyLine)))
        .collect();

    (item, tokens.collect())
}

/// Tokens without the marks among them.
pub(crate) fn without(tokens: TokenStream) -> TokenStream {
    tokens
        .into_iter()
        .filter(|token| read(token).is_none())
        .map(|token| match token {
            TokenTree::Group(group) => {
                Group::new(group.delimiter(), without(group.stream())).into()
            }
            token => token,
        })
        .collect()
}

/// Lines that stand for marks while rustfmt gives the text its layout: comments that do not occur
/// in the file.
pub(crate) struct Lines {
    prefix: String,
}

impl Lines {
    /// For a file with this text.
    pub(crate) fn new(text: &str) -> Self {
        let mut prefix = "//@".to_owned();
        while text.contains(&prefix) {
            prefix.push('@');
        }

        Self { prefix }
    }

    /// The line for a mark.
    pub(crate) fn line(&self, mark: &Mark) -> String {
        match mark {
            Mark::Comment(number) => format!("{}{number}", self.prefix),
            Mark::EmptyLine => self.prefix.clone(),
        }
    }

    /// Fills in the comments, each with the indentation that its line has found.
    pub(crate) fn fill_in(&self, text: &str, marker: &Marker<'_>) -> String {
        let comments = marker.comments.borrow();
        let mut filled = String::new();

        for line in text.lines() {
            let indent = &line[..line.len() - line.trim_start().len()];
            let Some(number) = line.trim_start().strip_prefix(&self.prefix) else {
                filled.push_str(line);
                filled.push('\n');
                continue;
            };

            let comment = number
                .trim_end()
                .parse()
                .ok()
                .and_then(|number: usize| comments.get(number));
            match comment {
                Some(comment) => {
                    let width = WIDTH.saturating_sub(indent.replace('\t', "    ").len() + 3);
                    for line in wrap(comment, width) {
                        filled.push_str(format!("{indent}// {line}").trim_end());
                        filled.push('\n');
                    }
                }
                None => filled.push('\n'),
            }
        }

        filled
    }
}
