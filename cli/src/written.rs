// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The tokens that the author has written, and the text between them.

use proc_macro2::{Spacing, Span, TokenStream, TokenTree};
use std::ops::Range;

/// The tokens of a piece of source, in order. A documentation comment is one of them.
pub(crate) struct Written<'a> {
    text: &'a str,
    ranges: Vec<Range<usize>>,
}

impl<'a> Written<'a> {
    /// Takes the `tokens` of `text` that are `within` a range of it.
    pub(crate) fn new(text: &'a str, tokens: TokenStream, within: &Range<usize>) -> Self {
        let mut ranges = Vec::new();
        collect(text, tokens, &mut ranges);
        ranges.retain(|range| within.start <= range.start && range.end <= within.end);

        Self { text, ranges }
    }

    /// The text that the tokens are part of.
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// The number of tokens.
    pub(crate) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Which token of the source this is, if it is one.
    pub(crate) fn find(&self, span: Span, text: &str) -> Option<usize> {
        let range = span.byte_range();
        if range.is_empty() || self.text.get(range.clone()) != Some(text) {
            return None;
        }

        self.at(range.start)
    }

    /// Which token of the source begins here, if one does.
    pub(crate) fn at(&self, start: usize) -> Option<usize> {
        self.ranges
            .binary_search_by_key(&start, |range| range.start)
            .ok()
    }

    /// Which tokens of the source are in a range of its text.
    pub(crate) fn within(&self, range: &Range<usize>) -> Range<usize> {
        let before = |at: usize| self.ranges.partition_point(|token| token.start < at);

        before(range.start)..before(range.end)
    }

    pub(crate) fn token(&self, index: usize) -> &'a str {
        &self.text[self.ranges[index].clone()]
    }

    /// The text between a token and the one behind it.
    pub(crate) fn gap(&self, index: usize) -> &'a str {
        &self.text[self.ranges[index].end..self.ranges[index + 1].start]
    }

    /// Whether a token belongs to the one that is printed next, as in `::`.
    pub(crate) fn spacing(&self, index: usize, next: Option<usize>) -> Spacing {
        if next == Some(index + 1) && self.gap(index).is_empty() {
            Spacing::Joint
        } else {
            Spacing::Alone
        }
    }

    /// The gaps in front of, between and behind all tokens of the text.
    pub(crate) fn all_gaps(&self) -> impl Iterator<Item = &'a str> + '_ {
        let starts = self.ranges.iter().map(|range| range.start);
        let ends = self.ranges.iter().map(|range| range.end);

        [0].into_iter()
            .chain(ends)
            .zip(starts.chain([self.text.len()]))
            .map(|(start, end)| &self.text[start..end])
    }

    /// The white space that the line of a token begins with.
    pub(crate) fn indent(&self, index: usize) -> &'a str {
        indent_at(self.text, self.ranges[index].start)
    }
}

/// The white space that the line at an offset begins with.
pub(crate) fn indent_at(text: &str, at: usize) -> &str {
    let line = &text[text[..at].rfind('\n').map_or(0, |end| end + 1)..];

    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// Collects where the tokens stand.
fn collect(text: &str, tokens: TokenStream, ranges: &mut Vec<Range<usize>>) {
    let mut tokens = tokens.into_iter();
    while let Some(token) = tokens.next() {
        if let Some(range) = doc_comment(text, &token) {
            ranges.push(range);
            tokens
                .by_ref()
                .find(|token| matches!(token, TokenTree::Group(_)));
            continue;
        }

        match token {
            TokenTree::Group(group) => {
                ranges.push(group.span_open().byte_range());
                collect(text, group.stream(), ranges);
                ranges.push(group.span_close().byte_range());
            }
            token => ranges.push(token.span().byte_range()),
        }
    }
}

/// Where a documentation comment stands, which is `#`, maybe `!`, and `[doc = ".."]` to the lexer.
pub(crate) fn doc_comment(text: &str, token: &TokenTree) -> Option<Range<usize>> {
    match token {
        TokenTree::Punct(pound) if pound.as_char() == '#' => {
            let range = pound.span().byte_range();
            let comment = text.get(range.clone())?;
            (comment.starts_with("//") || comment.starts_with("/*")).then_some(range)
        }
        _ => None,
    }
}
