// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The comments of a file, which are what stands between its tokens.

use crate::program::ours;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::ops::Range;

/// The comments of a file without their white space, each with whether it may go with the import
/// that it is in.
pub(crate) fn comments(text: &str) -> Vec<(String, bool)> {
    let (text, tokens) = ours(text);
    let mut tokens_of = Tokens {
        text: &text,
        ranges: Vec::new(),
        may_go: Vec::new(),
    };
    tokens_of.collect(tokens);

    let Tokens { ranges, may_go, .. } = tokens_of;
    let starts = ranges.iter().map(|range| range.start).chain([text.len()]);
    let ends = [0].into_iter().chain(ranges.iter().map(|range| range.end));
    let mut comments = Vec::new();
    for (start, end) in ends.zip(starts) {
        let may_go = may_go
            .iter()
            .any(|range| range.contains(&start) && range.contains(&end));
        for comment in within(&text[start..end]) {
            comments.push((comment.split_whitespace().collect(), may_go));
        }
    }

    comments
}

/// Where the tokens of a file are.
struct Tokens<'a> {
    text: &'a str,
    ranges: Vec<Range<usize>>,
    /// Code that may go, with the comments in it.
    may_go: Vec<Range<usize>>,
}

impl Tokens<'_> {
    fn collect(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter();
        // Where the attributes of an item begin, and where an import does.
        let mut attrs = None;
        let mut import = None;

        while let Some(token) = tokens.next() {
            let range = token.span().byte_range();
            match &token {
                TokenTree::Ident(word) if word == "use" => {
                    import = Some(attrs.unwrap_or(range.start));
                }
                TokenTree::Punct(end) if end.as_char() == ';' => {
                    if let Some(start) = import.take() {
                        if self.text[start..range.end].contains("devres_lazy") {
                            self.may_go.push(start..range.end);
                        }
                    }
                }
                _ => (),
            }
            attrs = match &token {
                TokenTree::Punct(pound) if pound.as_char() == '#' => attrs.or(Some(range.start)),
                TokenTree::Group(attr) if attr.delimiter() == Delimiter::Bracket => attrs,
                _ => None,
            };

            match &token {
                TokenTree::Punct(pound) if pound.as_char() == '#' => {
                    let is_doc = self.text[range.clone()].starts_with('/');
                    self.ranges.push(range.clone());
                    if is_doc {
                        tokens
                            .by_ref()
                            .find(|token| matches!(token, TokenTree::Group(_)));
                    }
                }
                TokenTree::Group(group) => {
                    self.ranges.push(group.span_open().byte_range());
                    self.collect(group.stream());
                    self.ranges.push(group.span_close().byte_range());
                }
                _ => self.ranges.push(range),
            }
        }
    }
}

/// The comments in what is otherwise white space.
fn within(gap: &str) -> Vec<&str> {
    let mut comments = Vec::new();
    let mut rest = gap.trim_start();

    while let Some(len) = comment(rest) {
        comments.push(rest[..len].trim_end());
        rest = rest[len..].trim_start();
    }
    assert!(rest.is_empty(), "no comment: {rest}");

    comments
}

/// The rest of a text behind its first white space and comments.
pub(crate) fn without_comments(text: &str) -> &str {
    let mut rest = text.trim_start();
    while let Some(len) = comment(rest) {
        rest = rest[len..].trim_start();
    }

    rest
}

/// How long the comment is that a text begins with. Documentation is none.
fn comment(text: &str) -> Option<usize> {
    let is_doc = |open: &str| {
        let rest = &text[open.len()..];
        rest.starts_with('!')
            || (rest.starts_with(&open[1..]) && !rest[1..].starts_with(&open[1..]))
    };

    if text.starts_with("//") && !is_doc("//") {
        Some(text.find('\n').unwrap_or(text.len()))
    } else if text.starts_with("/**/") || (text.starts_with("/*") && !is_doc("/*")) {
        Some(block(text))
    } else {
        None
    }
}

/// How long the block comment is that this begins with.
fn block(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }

    at
}
