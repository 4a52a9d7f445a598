// SPDX-License-Identifier: Apache-2.0 OR MIT

//! An annotated item as text: an edit of the author's text, with the comments and the layout
//! between.

use crate::{
    anchors::Anchors,
    marks::Lines,
    pieces::Piece,
    text::{Text, TAB},
    written::Written,
};
use std::ops::Range;

/// The item as text, not yet formatted.
pub(crate) fn item(
    written: &Written<'_>,
    pieces: Vec<Piece>,
    anchors: &Anchors<'_>,
    marks: &Lines,
) -> String {
    let mut editor = Editor {
        written,
        anchors,
        marks,
        out: Text::default(),
    };
    editor.edit(pieces);

    editor.out.finish()
}

struct Editor<'a> {
    written: &'a Written<'a>,
    anchors: &'a Anchors<'a>,
    marks: &'a Lines,
    out: Text,
}

impl<'a> Editor<'a> {
    fn edit(&mut self, pieces: Vec<Piece>) {
        let mut pieces = pieces.into_iter().peekable();
        // The first token of the source that is not dealt with.
        let mut next = 0;

        loop {
            // New pieces stand here, before the next token of the source.
            let mut new = Vec::new();
            while let Some(piece) =
                pieces.next_if(|piece| !matches!(piece, Piece::Written(index) if *index >= next))
            {
                new.push(piece);
            }
            let found = pieces.next().and_then(|piece| piece.written());
            let end = found.unwrap_or(self.written.len());

            let opens = new
                .first()
                .is_some_and(|piece| piece.text(self.written) == "{");
            self.out.set_indent(self.indent_before(end, opens));
            if next < end {
                self.replace(next..end, new);
            } else {
                self.insert(self.gap_before(next), new);
            }

            let Some(index) = found else {
                return;
            };
            self.out.write_token(self.written.token(index));
            next = index + 1;
        }
    }

    /// The text in front of a token of the source; empty where the item begins or ends.
    fn gap_before(&self, index: usize) -> &'a str {
        if index == 0 || index == self.written.len() {
            ""
        } else {
            self.written.gap(index - 1)
        }
    }

    /// The indentation of a line in front of a token of the source. A line inside a block gets one
    /// tab more, unless it `opens` the block.
    fn indent_before(&self, index: usize, opens: bool) -> String {
        if index == self.written.len() {
            return String::new();
        }
        let is_inside = self.written.token(index) == "}" || !self.gap_before(index).contains('\n');
        let tab = if is_inside && !opens { TAB } else { "" };

        format!("{}{tab}", self.written.indent(index))
    }

    /// Prints new pieces between two tokens of the source.
    fn insert(&mut self, gap: &str, new: Vec<Piece>) {
        let is_line = matches!(new.first(), Some(Piece::Mark(_)));
        // Comments and line breaks belong to what follows, unless that is the end of something.
        let is_end = new
            .first()
            .is_some_and(|piece| piece.text(self.written) == ">");
        if new.is_empty() || !(gap.contains('\n') || is_end) {
            self.out.write(if is_line { gap.trim_end() } else { gap });
            self.new_pieces(new);
            // The new pieces may end with a line break.
            if !gap.contains('\n') {
                self.out.indent();
            }
        } else {
            self.new_pieces(new);
            // A new piece on a line of its own has ended the line already.
            self.out.write(if self.out.is_at_line_start() {
                gap.strip_prefix('\n').unwrap_or(gap)
            } else {
                gap
            });
        }
    }

    /// Prints new pieces in place of some tokens of the source, and the comments between those
    /// tokens that have no other place.
    fn replace(&mut self, tokens: Range<usize>, new: Vec<Piece>) {
        let (before, after) = (self.gap_before(tokens.start), self.gap_before(tokens.end));
        let comments = self.anchors.staying(tokens);
        if !new.is_empty() || !comments.is_empty() {
            self.out.write(before);
            let indent = &before[before.rfind('\n').map_or(before.len(), |end| end + 1)..];
            let (last, others) = match comments.split_last() {
                Some((last, others)) => (Some(last), others),
                None => (None, &[][..]),
            };
            for comment in others {
                self.out.write_token(comment);
                self.out.write(&format!("\n{indent}"));
            }
            if let Some(last) = last {
                self.out.write_token(last);
                if !new.is_empty() {
                    self.out.write(&format!("\n{indent}"));
                }
            }
            self.new_pieces(new);
            self.out.write(after);
            return;
        }

        // Removes the line if it is empty now, or the spaces in front of its rest.
        let line_start = before.trim_end_matches([' ', '\t']);
        let is_first = line_start.is_empty() || line_start.ends_with('\n');
        let rest = after.trim_start_matches([' ', '\t']);
        match rest.strip_prefix('\n') {
            Some(after) if is_first => {
                self.out.write(line_start);
                if self.out.is_empty() {
                    self.out.write(after.trim_start());
                } else {
                    self.out.write(after);
                }
            }
            _ => {
                self.out.write(before);
                self.out.write(if is_first { rest } else { after });
            }
        }
    }

    /// Prints pieces one by one.
    fn new_pieces(&mut self, pieces: Vec<Piece>) {
        let mut pieces = pieces.into_iter().peekable();
        while let Some(piece) = pieces.next() {
            match piece {
                Piece::Written(index) => {
                    let next = pieces.peek().and_then(|next| next.written());
                    let spacing = self.written.spacing(index, next);
                    self.out.token(self.written.token(index), spacing);
                }
                Piece::New(token, spacing) => self.out.token(&token, spacing),
                Piece::Doc(line) => self.out.line(&format!("///{line}")),
                Piece::Mark(mark) => self.out.line(&self.marks.line(&mark)),
            }
        }
    }
}
