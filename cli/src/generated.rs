// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The text of the code that is generated beside an item. The macro's tokens are spelt out. The
//! types, names and expressions in it are the author's, and bring their comments.

use crate::{
    anchors::Anchors,
    marks::{Lines, Mark},
    pieces::Piece,
    remarks,
    text::Text,
    written::Written,
};
use proc_macro2::Spacing;
use std::{
    collections::{BTreeMap, BTreeSet},
    iter,
    ops::Range,
};

/// A part of the generated code that rustfmt may not be able to format.
pub(crate) enum Part {
    /// A function.
    Function,
    /// An expression of the author's, which has these tokens of the source.
    Expression(Range<usize>),
}

/// How a part is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// In its place.
    InPlace,
    /// A name stands for it. An expression's comments are in its place.
    Apart,
    /// A name stands for it. An expression's comments are above the function.
    CommentsAbove,
}

/// The code that is generated beside an item.
pub(crate) struct Generated<'a> {
    written: &'a Written<'a>,
    pieces: Vec<Piece>,
    /// The parts, and which pieces those are.
    parts: Vec<(Part, Range<usize>)>,
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
            let begin = pieces.iter().position(is_begin)?;
            let found = pieces[begin..].iter().map(Piece::written);
            let is_whole = tokens.clone().map(Some).eq(found.take(tokens.len()));
            is_whole.then(|| {
                let end = begin + tokens.len();
                (Part::Expression(tokens.clone()), begin..end)
            })
        });
        let functions = functions(written, &pieces)
            .into_iter()
            .map(|pieces| (Part::Function, pieces));

        Self {
            written,
            parts: expressions.chain(functions).collect(),
            pieces,
            marks,
        }
    }

    pub(crate) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().map(|(part, _)| part)
    }

    /// The tokens of the author's expressions.
    fn expressions(&self) -> impl Iterator<Item = &Range<usize>> {
        self.parts().filter_map(|part| match part {
            Part::Expression(tokens) => Some(tokens),
            Part::Function => None,
        })
    }

    /// The tokens of the source that are printed.
    pub(crate) fn printed(&self) -> BTreeSet<usize> {
        self.pieces.iter().filter_map(Piece::written).collect()
    }

    /// The tokens of the source whose gaps are printed as they are.
    pub(crate) fn in_place(&self) -> BTreeSet<usize> {
        self.expressions()
            .flat_map(|tokens| tokens.start..tokens.end - 1)
            .collect()
    }

    /// The name that stands for a part.
    pub(crate) fn stand_in(&self, part: usize) -> String {
        let mut name = format!("part_{part}");
        while self.written.text().contains(&name) {
            name.push('_');
        }
        match self.parts[part].0 {
            Part::Expression(_) => name,
            Part::Function => format!("const {name}: () = ();"),
        }
    }

    /// A part as it is where it is not formatted, with lines that are indented by `indent`.
    pub(crate) fn source(&self, part: usize, anchors: &Anchors<'_>, indent: &str) -> String {
        match &self.parts[part] {
            (Part::Expression(tokens), _) => self.expression(tokens, indent),
            (Part::Function, pieces) => {
                let how = vec![How::InPlace; self.parts.len()];
                self.spell_out(pieces.clone(), anchors, &how, indent)
                    .trim()
                    .to_owned()
            }
        }
    }

    fn expression(&self, tokens: &Range<usize>, indent: &str) -> String {
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
        self.spell_out(0..self.pieces.len(), anchors, how, "")
    }

    /// The text of some pieces.
    fn spell_out(
        &self,
        range: Range<usize>,
        anchors: &Anchors<'_>,
        how: &[How],
        indent: &str,
    ) -> String {
        let mut above = self.comments_above(anchors, how);
        let mut out = Text::default();
        out.set_indent(indent.to_owned());
        let mut last = None;
        let mut at = range.start;
        // The end of an expression, and the comments behind it.
        let mut behind = None;

        while at < range.end {
            if let Some((_, comments)) = behind.take_if(|(end, _)| *end == at) {
                write_behind(&mut out, comments);
            }
            let parts = iter::zip(&self.parts, how).enumerate();
            let begun: Vec<_> = parts
                .filter(|(_, ((_, pieces), _))| pieces.start == at)
                .collect();
            let function = begun.iter().find(|(_, ((part, _), how))| {
                matches!(part, Part::Function) && **how != How::InPlace
            });
            if let Some((part, ((_, pieces), _))) = function {
                out.line(&self.stand_in(*part));
                at = pieces.end;
                last = None;
                continue;
            }
            for comment in above.remove(&at).unwrap_or_default() {
                out.line(comment);
            }
            let expression = begun
                .iter()
                .find_map(|(part, ((kind, pieces), how))| match kind {
                    Part::Expression(tokens) => Some((*part, tokens, pieces, **how)),
                    Part::Function => None,
                });
            if let Some((part, tokens, pieces, how)) = expression {
                if how != How::CommentsAbove {
                    for comment in anchors.before(tokens.clone()) {
                        out.line(comment);
                    }
                    behind = Some((pieces.end, anchors.behind(tokens.clone())));
                }
                if how != How::InPlace {
                    out.token(&self.stand_in(part), Spacing::Alone);
                    at = pieces.end;
                    last = None;
                    continue;
                }
            }

            let written = self.pieces[at].written();
            match &self.pieces[at] {
                Piece::Written(index) => match last {
                    Some(last) if last + 1 == *index => {
                        self.gap(last, &mut out);
                        out.write_token(self.written.token(*index));
                    }
                    _ => {
                        let next = self.pieces.get(at + 1).and_then(Piece::written);
                        let spacing = self.written.spacing(*index, next);
                        out.token(self.written.token(*index), spacing);
                    }
                },
                Piece::New(token, spacing) => out.token(token, *spacing),
                Piece::Doc(line) => out.line(&format!("///{line}")),
                Piece::Mark(mark) => out.line(&self.marks.line(mark)),
            }
            last = written;
            at += 1;
        }

        out.finish()
    }

    /// Copies the text behind a token of the source; comments in expressions only.
    fn gap(&self, token: usize, out: &mut Text) {
        let gap = self.written.gap(token);
        let is_in_expression = self.expressions().any(|tokens| tokens.contains(&token));

        if is_in_expression || remarks::in_gap(gap).is_empty() {
            out.write(gap);
        } else {
            out.write(" ");
        }
    }

    /// The comments of types and names. Each is printed above the function that prints its type or
    /// name first; the key is the first piece of that function.
    fn comments_above<'b>(
        &self,
        anchors: &'b Anchors<'_>,
        how: &[How],
    ) -> BTreeMap<usize, Vec<&'b str>> {
        let mut above: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut done = BTreeSet::new();

        for (at, piece) in self.pieces.iter().enumerate() {
            let Some(token) = piece.written().filter(|token| done.insert(*token)) else {
                continue;
            };
            let is_in_place = iter::zip(self.parts(), how).any(|(part, how)| match part {
                Part::Expression(tokens) => tokens.contains(&token) && *how != How::CommentsAbove,
                Part::Function => false,
            });
            if is_in_place {
                continue;
            }

            let function = self
                .parts
                .iter()
                .find(|(part, pieces)| matches!(part, Part::Function) && pieces.contains(&at));
            let first = function.map_or(0, |(_, pieces)| pieces.start);
            let comments = above.entry(first).or_default();
            comments.extend(anchors.before(token..token + 1));
            comments.extend(anchors.behind(token..token + 1));
        }

        above
    }
}

/// Prints comments behind an expression. Only the last one may end the line.
fn write_behind(out: &mut Text, comments: Vec<&str>) {
    for comment in comments {
        out.write(" ");
        out.write_token(comment);
    }
}

/// The functions in generated code: each follows the brace of its `impl`, or an empty line.
fn functions(written: &Written<'_>, pieces: &[Piece]) -> Vec<Range<usize>> {
    let mut functions = Vec::new();
    let mut depth = 0_usize;
    let mut begin = None;

    for (at, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Mark(Mark::EmptyLine) if depth == 1 => {
                functions.extend(begin.replace(at + 1).map(|begin| begin..at));
            }
            piece => match piece.text(written) {
                "{" => {
                    depth += 1;
                    if depth == 1 {
                        begin = Some(at + 1);
                    }
                }
                "}" => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        functions.extend(begin.take().map(|begin| begin..at));
                    }
                }
                _ => (),
            },
        }
    }

    functions.retain(|function| !function.is_empty());
    functions
}
