// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Tokens to text. What the author has written is copied from the source, with the comments and the
//! layout between; what the macro has written is spelt out; notes become lines of their own, which
//! are filled in when the text has its layout.

use crate::marks::{
    self,
    Mark, //
};
use proc_macro2::{
    Delimiter,
    Group,
    Spacing,
    Span,
    TokenStream,
    TokenTree, //
};
use std::ops::Range;

/// The tokens of a piece of source, in order. A documentation comment is one of them.
struct Written<'a> {
    text: &'a str,
    ranges: Vec<Range<usize>>,
}

impl<'a> Written<'a> {
    fn new(text: &'a str, tokens: TokenStream, within: &Range<usize>) -> Self {
        let mut ranges = Vec::new();
        collect(text, tokens, &mut ranges);
        ranges.retain(|range| within.start <= range.start && range.end <= within.end);

        Self { text, ranges }
    }

    /// Which token of the source this is, if it is one.
    fn find(&self, span: Span, text: &str) -> Option<usize> {
        let range = span.byte_range();
        if range.is_empty() || self.text.get(range.clone()) != Some(text) {
            return None;
        }

        self.at(range.start)
    }

    /// Which token of the source begins here, if one does.
    fn at(&self, start: usize) -> Option<usize> {
        self.ranges
            .binary_search_by_key(&start, |range| range.start)
            .ok()
    }

    fn token(&self, index: usize) -> &'a str {
        &self.text[self.ranges[index].clone()]
    }

    /// What stands between a token and the one behind it.
    fn gap(&self, index: usize) -> &'a str {
        &self.text[self.ranges[index].end..self.ranges[index + 1].start]
    }
}

/// What stands between the tokens of a text, without white space: its comments.
pub(crate) fn comments(text: &str) -> Option<String> {
    let written = Written::new(text, text.parse().ok()?, &(0..text.len()));
    let starts = written.ranges.iter().map(|range| range.start);
    let ends = written.ranges.iter().map(|range| range.end);

    let gaps = [0].into_iter().chain(ends).zip(starts.chain([text.len()]));
    Some(
        gaps.flat_map(|(start, end)| text[start..end].split_whitespace())
            .collect(),
    )
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
fn doc_comment(text: &str, token: &TokenTree) -> Option<Range<usize>> {
    match token {
        TokenTree::Punct(pound) if pound.as_char() == '#' => {
            let range = pound.span().byte_range();
            let comment = text.get(range.clone())?;
            (comment.starts_with("//") || comment.starts_with("/*")).then_some(range)
        }
        _ => None,
    }
}

/// A piece of what is printed.
enum Piece {
    /// A token of the source.
    Written(usize),
    /// Another token, and whether the next one belongs to it, as in `::`.
    New(String, Spacing),
    /// A line of documentation.
    Doc(String),
    Mark(Mark),
}

/// What an item, or what is generated beside it, is printed from.
pub(crate) struct Printer<'a> {
    written: Written<'a>,
    out: String,
    /// The last token, if it is of the source.
    last: Option<usize>,
    /// Whether the next token belongs to the last one.
    is_joint: bool,
    /// Whether the last token is a comment up to the end of the line.
    is_comment: bool,
    marks: &'a marks::Lines,
}

impl<'a> Printer<'a> {
    /// For the item that is at `within` in `text`, whose tokens are among `tokens`.
    pub(crate) fn new(
        text: &'a str,
        tokens: TokenStream,
        within: &Range<usize>,
        marks: &'a marks::Lines,
    ) -> Self {
        Self {
            written: Written::new(text, tokens, within),
            out: String::new(),
            last: None,
            is_joint: false,
            is_comment: false,
            marks,
        }
    }

    /// The item as text, not yet formatted: an edit of what the author has written.
    pub(crate) fn item(mut self, tokens: TokenStream) -> String {
        let mut pieces = Vec::new();
        self.pieces(tokens, &mut pieces);
        self.edit(pieces);

        self.out
    }

    /// What is generated beside the item as text, not yet formatted.
    pub(crate) fn generated(mut self, tokens: TokenStream) -> String {
        let mut pieces = Vec::new();
        self.pieces(tokens, &mut pieces);
        self.spell_out(pieces);

        self.out
    }

    /// Splits tokens into pieces.
    fn pieces(&self, tokens: TokenStream, pieces: &mut Vec<Piece>) {
        let mut tokens = tokens.into_iter().peekable();

        while let Some(token) = tokens.next() {
            if let Some(mark) = marks::read(&token) {
                pieces.push(Piece::Mark(mark));
                continue;
            }
            if let Some(range) = doc_comment(self.written.text, &token) {
                if let Some(index) = self.written.at(range.start) {
                    pieces.push(Piece::Written(index));
                    tokens
                        .by_ref()
                        .find(|token| matches!(token, TokenTree::Group(_)));
                    continue;
                }
            }

            let is_pound = matches!(&token, TokenTree::Punct(pound) if pound.as_char() == '#');
            if let (true, Some(TokenTree::Group(attr))) = (is_pound, tokens.peek()) {
                let is_new = self.find(token.span(), "#").is_none();
                if let Some(line) = doc_line(attr).filter(|_| is_new) {
                    pieces.push(Piece::Doc(line));
                    tokens.next();
                    continue;
                }
            }

            match token {
                TokenTree::Group(group) => self.group(&group, pieces),
                token => {
                    let spacing = match &token {
                        TokenTree::Punct(punct) => punct.spacing(),
                        _ => Spacing::Alone,
                    };
                    pieces.push(self.piece(token.span(), token.to_string(), spacing));
                }
            }
        }
    }

    /// Splits a group into pieces.
    fn group(&self, group: &Group, pieces: &mut Vec<Piece>) {
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::None => return self.pieces(group.stream(), pieces),
        };

        pieces.push(self.piece(group.span_open(), open.into(), Spacing::Alone));
        self.pieces(group.stream(), pieces);
        pieces.push(self.piece(group.span_close(), close.into(), Spacing::Alone));
    }

    /// The piece for a token.
    fn piece(&self, span: Span, text: String, spacing: Spacing) -> Piece {
        match self.find(span, &text) {
            Some(index) => Piece::Written(index),
            None => Piece::New(text, spacing),
        }
    }

    fn find(&self, span: Span, text: &str) -> Option<usize> {
        self.written.find(span, text)
    }

    /// Prints what the author has written, with what is new in it.
    fn edit(&mut self, pieces: Vec<Piece>) {
        let mut pieces = pieces.into_iter().peekable();
        // The first token of the source that is not dealt with.
        let mut next = 0;

        loop {
            // What is new here, up to the next token of the source.
            let mut new = Vec::new();
            while let Some(piece) =
                pieces.next_if(|piece| !matches!(piece, Piece::Written(index) if *index >= next))
            {
                new.push(piece);
            }
            let found = match pieces.next() {
                Some(Piece::Written(index)) => Some(index),
                _ => None,
            };
            let end = found.unwrap_or(self.written.ranges.len());

            let before = self.gap_before(next);
            if next < end {
                self.replace(before, new, self.gap_before(end));
            } else {
                self.insert(before, new);
            }

            let Some(index) = found else {
                return;
            };
            let token = self.written.token(index);
            self.write(token);
            self.is_comment = token.starts_with("//");
            next = index + 1;
        }
    }

    /// What stands in front of a token of the source, unless the item begins or ends there.
    fn gap_before(&self, index: usize) -> &'a str {
        if index == 0 || index == self.written.ranges.len() {
            ""
        } else {
            self.written.gap(index - 1)
        }
    }

    /// Prints what is new between two tokens of the source.
    fn insert(&mut self, gap: &str, new: Vec<Piece>) {
        // Comments and line breaks belong to what follows.
        let is_space = gap.bytes().all(|byte| byte == b' ');
        if is_space || new.is_empty() {
            self.write(gap);
            self.new_pieces(new);
        } else {
            self.new_pieces(new);
            // What ends with a line of its own has broken the line.
            self.write(if self.out.ends_with('\n') {
                gap.strip_prefix('\n').unwrap_or(gap)
            } else {
                gap
            });
        }
    }

    /// Prints what is new in place of some tokens of the source.
    fn replace(&mut self, before: &str, new: Vec<Piece>, after: &str) {
        if !new.is_empty() {
            self.write(before);
            self.new_pieces(new);
            self.write(after);
            return;
        }

        // Without the line that is empty now.
        let line_start = before.trim_end_matches([' ', '\t']);
        match after.trim_start_matches([' ', '\t']).strip_prefix('\n') {
            Some(after) if line_start.is_empty() || line_start.ends_with('\n') => {
                self.write(line_start);
                if self.out.is_empty() {
                    self.write(after.trim_start());
                } else {
                    self.write(after);
                }
            }
            _ => {
                self.write(before);
                self.write(after);
            }
        }
    }

    /// Copies from the source.
    fn write(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let glues = |c: char| c.is_alphanumeric() || c == '_';
        if self.is_comment && !text.starts_with('\n') {
            self.out.push('\n');
        } else if (self.out.ends_with(glues) || self.out.ends_with(']')) && text.starts_with(glues)
        {
            self.out.push(' ');
        }
        self.is_comment = false;
        self.is_joint = false;
        self.out.push_str(text);
    }

    /// Prints pieces one by one.
    fn new_pieces(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            match piece {
                Piece::Written(index) => self.token(self.written.token(index), Spacing::Alone),
                Piece::New(token, spacing) => self.token(&token, spacing),
                Piece::Doc(line) => self.line(&format!("///{line}")),
                Piece::Mark(mark) => {
                    let line = self.marks.line(&mark);
                    self.line(&line);
                }
            }
        }
    }

    /// Prints what the macro has written. Of the source are the types, names and expressions in it.
    fn spell_out(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            match piece {
                Piece::Written(index) => {
                    let token = self.written.token(index);
                    match self.last {
                        Some(last) if last + 1 == index => {
                            let gap = self.written.gap(last);
                            self.write(gap);
                            self.write(token);
                        }
                        _ => self.token(token, Spacing::Alone),
                    }
                    self.is_comment = token.starts_with("//");
                    self.last = Some(index);
                }
                piece => {
                    self.last = None;
                    self.new_pieces(vec![piece]);
                }
            }
        }
    }

    /// Prints a line of its own.
    fn line(&mut self, line: &str) {
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
        self.out.push_str(line);
        self.out.push('\n');
        self.is_joint = false;
        self.is_comment = false;
    }

    /// Prints a token. Rustfmt does the rest; but where it does not, one can read it too.
    fn token(&mut self, token: &str, spacing: Spacing) {
        if self.is_comment {
            self.out.push('\n');
            self.is_comment = false;
        }

        let is_path = token == ":" && spacing == Spacing::Joint;
        let is_tight = self.is_joint
            || self.out.ends_with([' ', '\n', '(', '[', '&', '<', '#'])
            || self.out.ends_with("::")
            || matches!(token, "," | ";" | "." | ")" | "]" | "?" | ">" | "<" | "(")
            || (is_path
                && self
                    .out
                    .ends_with(|c: char| c.is_alphanumeric() || c == '_'));
        if !is_tight && !self.out.is_empty() {
            self.out.push(' ');
        }
        self.out.push_str(token);
        self.is_joint = spacing == Spacing::Joint;

        if matches!(token, "{" | "}" | ";") {
            self.out.push('\n');
        }
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
