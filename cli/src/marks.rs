// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Comments and empty lines as tokens, as lines of unformatted text, and as they are printed.

use crate::wrap::wrap;
use proc_macro2::{Delimiter, Group, Literal, TokenStream, TokenTree};

/// How long a line may be.
const WIDTH: usize = 100;

/// A comment or an empty line between the code.
pub(crate) enum Mark {
    /// A comment, by its number.
    Comment(usize),
    EmptyLine,
}

/// The comments of an item. Marks stand for them: tokens that no source contains, groups without
/// delimiters.
#[derive(Default)]
pub(crate) struct Marks {
    comments: Vec<String>,
}

impl Marks {
    /// A comment in front of what follows. Lines that begin with `- ` are bullets.
    pub(crate) fn comment(&mut self, text: String) -> TokenStream {
        let number = Literal::usize_unsuffixed(self.comments.len());
        self.comments.push(text);

        mark(TokenTree::from(number).into())
    }

    /// An empty line.
    pub(crate) fn empty_line(&self) -> TokenStream {
        mark(TokenStream::new())
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
    pub(crate) fn fill_in(&self, text: &str, marks: &Marks) -> String {
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
                .and_then(|number: usize| marks.comments.get(number));
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
