// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where the comments of an annotation are printed: each with the value that it belongs to.

use crate::{remarks, written::Written};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

/// The comments in gaps that are not printed as they are.
#[derive(Default)]
pub(crate) struct Anchors<'a> {
    /// The comments printed in front of a token of the source, and behind one.
    before: BTreeMap<usize, Vec<&'a str>>,
    behind: BTreeMap<usize, Vec<&'a str>>,
    /// The comments without a value, by the token in front of them.
    staying: BTreeMap<usize, Vec<&'a str>>,
}

impl<'a> Anchors<'a> {
    /// For an item with these `annotations`. The tokens in `printed` are printed beside the item,
    /// and the gaps behind those in `in_place` are printed as they are.
    pub(crate) fn new(
        written: &Written<'a>,
        annotations: &[Range<usize>],
        printed: &BTreeSet<usize>,
        in_place: &BTreeSet<usize>,
    ) -> Self {
        let mut anchors = Self::default();

        for gap in 0..written.len().saturating_sub(1) {
            if in_place.contains(&gap) {
                continue;
            }
            let annotation = annotations
                .iter()
                .find(|tokens| tokens.contains(&gap) && tokens.contains(&(gap + 1)));
            for comment in remarks::in_gap(written.gap(gap)) {
                let (mut before, mut after) = (None, None);
                if let Some(tokens) = annotation {
                    before = printed.range(tokens.start..=gap).next_back();
                    after = printed.range(gap + 1..tokens.end).next();
                }
                let is_behind = match written.token(gap) {
                    "," => is_at_end_of_line(written.gap(gap), comment),
                    _ => before == Some(&gap) && is_on_the_line(written.gap(gap), comment),
                };

                let (place, token) = match (before, after) {
                    (Some(before), _) if is_behind => (&mut anchors.behind, *before),
                    (_, Some(after)) => (&mut anchors.before, *after),
                    _ => (&mut anchors.staying, gap),
                };
                place.entry(token).or_default().push(comment);
            }
        }

        anchors
    }

    /// The comments to print in front of some tokens.
    pub(crate) fn before(&self, tokens: Range<usize>) -> Vec<&'a str> {
        flat(&self.before, tokens)
    }

    /// The comments to print behind some tokens.
    pub(crate) fn behind(&self, tokens: Range<usize>) -> Vec<&'a str> {
        flat(&self.behind, tokens)
    }

    /// The comments between some tokens that belong to no value.
    pub(crate) fn staying(&self, tokens: Range<usize>) -> Vec<&'a str> {
        let gaps = tokens.start..tokens.end.saturating_sub(1).max(tokens.start);
        flat(&self.staying, gaps)
    }
}

/// The comments of some tokens.
fn flat<'a>(comments: &BTreeMap<usize, Vec<&'a str>>, tokens: Range<usize>) -> Vec<&'a str> {
    let comments = comments.range(tokens);
    comments
        .flat_map(|(_, comments)| comments)
        .copied()
        .collect()
}

/// Whether a comment in a gap ends the line of the token in front of that, with others maybe.
fn is_at_end_of_line(gap: &str, comment: &str) -> bool {
    let behind = gap
        .find(comment)
        .map_or("", |at| &gap[at + comment.len()..]);

    is_on_the_line(gap, comment) && behind.contains('\n')
}

/// Whether a comment in a gap begins on the line of the token in front of that.
fn is_on_the_line(gap: &str, comment: &str) -> bool {
    gap.find(comment)
        .is_some_and(|at| !gap[..at].contains('\n'))
}
