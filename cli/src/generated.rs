// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is generated beside an item as text. What the macro has written is spelt out; the types,
//! names and expressions in it are the author's, whose comments go with them.

use crate::{
    anchors::Anchors,
    marks::{
        Lines,
        Mark, //
    },
    pieces::Piece,
    remarks,
    text::Text,
    written::Written, //
};
use proc_macro2::Spacing;
use std::{
    collections::{
        BTreeMap,
        BTreeSet, //
    },
    iter,
    ops::Range,
};

/// How an expression of the author's is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// Where it belongs.
    InPlace,
    /// A name stands for it, behind its comments, until all else has its layout.
    Apart,
    /// As that, and its comments are above the function.
    CommentsAbove,
}

/// An expression of the author's, which is printed in one piece.
struct Expression {
    /// Its tokens of the source.
    tokens: Range<usize>,
    /// The piece that it begins with.
    piece: usize,
}

/// What is generated beside an item.
pub(crate) struct Generated<'a> {
    written: &'a Written<'a>,
    pieces: Vec<Piece>,
    expressions: Vec<Expression>,
    marks: &'a Lines,
}

impl<'a> Generated<'a> {
    /// The author's expressions have these tokens of the source.
    pub(crate) fn new(
        written: &'a Written<'a>,
        pieces: Vec<Piece>,
        expressions: &[Range<usize>],
        marks: &'a Lines,
    ) -> Self {
        let expressions = expressions.iter().filter_map(|tokens| {
            let is_begin = |piece: &Piece| piece.written() == Some(tokens.start);
            let piece = pieces.iter().position(is_begin)?;
            let found = pieces[piece..].iter().map(Piece::written);
            let is_whole = tokens.clone().map(Some).eq(found.take(tokens.len()));
            is_whole.then(|| Expression {
                tokens: tokens.clone(),
                piece,
            })
        });

        Self {
            written,
            expressions: expressions.collect(),
            pieces,
            marks,
        }
    }

    /// How many expressions there are.
    pub(crate) fn expressions(&self) -> usize {
        self.expressions.len()
    }

    /// The tokens of the source that are printed.
    pub(crate) fn printed(&self) -> BTreeSet<usize> {
        self.pieces.iter().filter_map(Piece::written).collect()
    }

    /// The tokens of the source whose gaps are printed as they are.
    pub(crate) fn in_place(&self) -> BTreeSet<usize> {
        self.expressions
            .iter()
            .flat_map(|expression| expression.tokens.start..expression.tokens.end - 1)
            .collect()
    }

    /// The name that stands for an expression.
    pub(crate) fn stand_in(&self, expression: usize) -> String {
        let mut name = format!("expression_{expression}");
        while self.written.text().contains(&name) {
            name.push('_');
        }
        name
    }

    /// The source of an expression, with its lines indented by `indent`.
    pub(crate) fn source(&self, expression: usize, indent: &str) -> String {
        let tokens = &self.expressions[expression].tokens;
        let old = self.written.indent(tokens.start);

        let mut source = String::new();
        for index in tokens.clone() {
            source.push_str(self.written.token(index));
            if index + 1 < tokens.end {
                let mut lines = self.written.gap(index).split('\n');
                source.push_str(lines.next().unwrap_or_default());
                for line in lines {
                    source.push('\n');
                    source.push_str(indent);
                    source.push_str(line.strip_prefix(old).unwrap_or(line.trim_start()));
                }
            }
        }
        source
    }

    /// The text, not yet formatted.
    pub(crate) fn text(&self, anchors: &Anchors<'_>, how: &[How]) -> String {
        let mut above = self.comments_above(anchors, how);
        let mut out = Text::default();
        let mut last = None;
        let mut pieces = self.pieces.iter().enumerate();

        while let Some((at, piece)) = pieces.next() {
            for comment in above.remove(&at).unwrap_or_default() {
                out.line(comment);
            }
            let found = self.expressions.iter().position(|it| it.piece == at);
            if let Some(number) = found {
                let Expression { tokens, .. } = &self.expressions[number];
                if how[number] != How::CommentsAbove {
                    for comment in anchors.with(tokens.clone()) {
                        out.line(comment);
                    }
                }
                if how[number] != How::InPlace {
                    out.token(&self.stand_in(number), Spacing::Alone);
                    last = None;
                    for _ in 1..tokens.len() {
                        pieces.next();
                    }
                    continue;
                }
            }

            match piece {
                Piece::Written(index) => {
                    match last {
                        Some(last) if last + 1 == *index => {
                            self.gap(last, &mut out);
                            out.write_token(self.written.token(*index));
                        }
                        _ => out.token(self.written.token(*index), Spacing::Alone),
                    }
                    last = Some(*index);
                    continue;
                }
                Piece::New(token, spacing) => out.token(token, *spacing),
                Piece::Doc(line) => out.line(&format!("///{line}")),
                Piece::Mark(mark) => out.line(&self.marks.line(mark)),
            }
            last = None;
        }

        out.finish()
    }

    /// Copies what is behind a token of the source; comments in expressions only.
    fn gap(&self, token: usize, out: &mut Text) {
        let gap = self.written.gap(token);
        let is_in_expression = self
            .expressions
            .iter()
            .any(|expression| expression.tokens.contains(&token));

        if is_in_expression || remarks::in_gap(gap).is_empty() {
            out.write(gap);
        } else {
            out.write(" ");
        }
    }

    /// The comments of types and names, by the piece that the function begins with that those are
    /// first printed in.
    fn comments_above<'b>(
        &self,
        anchors: &'b Anchors<'_>,
        how: &[How],
    ) -> BTreeMap<usize, Vec<&'b str>> {
        let mut above: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut done = BTreeSet::new();
        let functions = self.functions();

        for (at, piece) in self.pieces.iter().enumerate() {
            let Some(token) = piece.written().filter(|token| done.insert(*token)) else {
                continue;
            };
            let is_in_place = iter::zip(&self.expressions, how).any(|(expression, how)| {
                expression.tokens.contains(&token) && *how != How::CommentsAbove
            });
            if !is_in_place {
                let function = functions.range(..=at).next_back().copied();
                let comments = anchors.with(token..token + 1);
                above
                    .entry(function.unwrap_or_default())
                    .or_default()
                    .extend(comments);
            }
        }

        above
    }

    /// The pieces that items and functions begin with.
    fn functions(&self) -> BTreeSet<usize> {
        let mut functions = BTreeSet::from([0]);
        let mut depth = 0_usize;

        for (at, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Mark(Mark::EmptyLine) if depth < 2 => {
                    functions.insert(at + 1);
                }
                piece => match piece.text(self.written) {
                    "{" => {
                        depth += 1;
                        if depth == 1 {
                            functions.insert(at + 1);
                        }
                    }
                    "}" => depth = depth.saturating_sub(1),
                    _ => (),
                },
            }
        }

        functions
    }
}
