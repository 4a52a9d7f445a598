// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where the comments of an annotation go: each to the value that it stands at, wherever that is
//! printed.

use crate::{
    remarks,
    written::Written, //
};
use std::{
    collections::{
        BTreeMap,
        BTreeSet, //
    },
    ops::Range,
};

/// The comments between tokens that are not printed one behind the other.
#[derive(Default)]
pub(crate) struct Anchors<'a> {
    /// Those that go with a token of the source.
    at: BTreeMap<usize, Vec<&'a str>>,
    /// Those that stay where they are, by the token in front of them.
    staying: BTreeMap<usize, Vec<&'a str>>,
}

impl<'a> Anchors<'a> {
    /// For an item with these annotations, of whose tokens these are printed beside the item; the
    /// gaps behind some tokens are printed as they are.
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
                let anchor = annotation.and_then(|tokens| {
                    let before = printed.range(tokens.start..=gap).next_back();
                    let after = printed.range(gap + 1..tokens.end).next();
                    let is_behind = written.token(gap) == "," || before == Some(&gap);
                    if is_behind && is_on_the_line(written.gap(gap), comment) {
                        before.or(after)
                    } else {
                        after
                    }
                });
                match anchor {
                    Some(token) => anchors.at.entry(*token).or_default().push(comment),
                    None => anchors.staying.entry(gap).or_default().push(comment),
                }
            }
        }

        anchors
    }

    /// The comments that go with some tokens.
    pub(crate) fn with(&self, tokens: Range<usize>) -> Vec<&'a str> {
        self.at
            .range(tokens)
            .flat_map(|(_, it)| it)
            .copied()
            .collect()
    }

    /// The comments that stay where they are between some tokens.
    pub(crate) fn staying(&self, tokens: Range<usize>) -> Vec<&'a str> {
        let gaps = tokens.start..tokens.end.saturating_sub(1).max(tokens.start);
        let staying = self.staying.range(gaps);
        staying.flat_map(|(_, it)| it).copied().collect()
    }
}

/// Whether a comment in a gap begins on the line of the token in front of that.
fn is_on_the_line(gap: &str, comment: &str) -> bool {
    gap.find(comment)
        .is_some_and(|at| !gap[..at].contains('\n'))
}
