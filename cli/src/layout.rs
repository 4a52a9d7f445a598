// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The layout of an expanded item. Rustfmt formats it. A part that rustfmt refuses, or would change
//! in more than its layout, keeps the author's layout.

use crate::{
    anchors::Anchors,
    generated::{Generated, How, Part},
    marks::{self, Lines, Marks},
    remarks,
    rustfmt::Rustfmt,
    same, written,
};
use anyhow::{Error, Result};
use proc_macro2::TokenStream;

/// Gives the text of an expanded item its layout.
pub(crate) struct Layout<'a> {
    /// Formats the text; without this, nothing does.
    pub(crate) rustfmt: Option<&'a Rustfmt<'a>>,
    pub(crate) lines: &'a Lines,
    pub(crate) marks: &'a Marks,
    /// The indentation of the item, which the generated items beside it get too.
    pub(crate) indent: &'a str,
    /// The item's name, for the message if it cannot be printed.
    pub(crate) name: &'a str,
}

impl Layout<'_> {
    /// The text of the item, which says the same as these tokens.
    pub(crate) fn item(&self, text: &str, tokens: TokenStream) -> Result<String> {
        let formatted = self.format(text)?;
        let text = formatted.as_deref().unwrap_or(text);

        self.check(self.lines.fill_in(text, self.marks), tokens)
    }

    /// The text of the generated items, which says the same as these tokens.
    pub(crate) fn generated(
        &self,
        generated: &Generated<'_>,
        anchors: &Anchors<'_>,
        tokens: TokenStream,
    ) -> Result<String> {
        let plain = generated.text(anchors, &in_place(generated));

        let text = match self.format(&plain)? {
            Some(formatted) => self.lines.fill_in(&formatted, self.marks),
            None if self.rustfmt.is_some() => self
                .by_parts(generated, anchors)?
                .unwrap_or_else(|| self.lines.fill_in(&plain, self.marks)),
            None => self.lines.fill_in(&plain, self.marks),
        };
        self.check(text, tokens)
    }

    /// Formats everything but the parts that rustfmt cannot format: expressions, or else functions.
    fn by_parts(&self, generated: &Generated<'_>, anchors: &Anchors<'_>) -> Result<Option<String>> {
        let attempt = |how: &[How]| self.format(&generated.text(anchors, how));
        let attempts = [
            (false, How::Apart),
            (false, How::CommentsAbove),
            (true, How::Apart),
        ];

        for (of_functions, apart) in attempts {
            let is_one = |part: &Part| matches!(part, Part::Function) == of_functions;
            let parts = generated.parts().enumerate();
            let parts: Vec<_> = parts.filter(|(_, part)| is_one(part)).collect();
            let mut how = in_place(generated);
            for &(part, _) in &parts {
                how[part] = apart;
            }
            let Some(mut best) = attempt(&how)? else {
                continue;
            };
            for &(part, _) in &parts {
                how[part] = How::InPlace;
                match attempt(&how)? {
                    Some(better) => best = better,
                    None => how[part] = apart,
                }
            }

            // The last one first: its name may begin with that of another one.
            for &(part, _) in parts.iter().rev() {
                if how[part] != How::InPlace {
                    best = put_in(generated, part, anchors, &best);
                }
            }
            return Ok(Some(self.lines.fill_in(&best, self.marks)));
        }

        Ok(None)
    }

    /// The text as rustfmt formats it, if that changes nothing but the layout.
    fn format(&self, text: &str) -> Result<Option<String>> {
        let Some(rustfmt) = self.rustfmt else {
            return Ok(None);
        };
        let formatted = rustfmt.items(text, self.indent)?;

        Ok(formatted.filter(|formatted| {
            let both = [text, formatted].map(|text| {
                let tokens = same::tokens(text.parse().ok()?).ok()?;
                let comments = remarks::of(text)?.into_iter().map(remarks::words);
                Some((tokens, comments.collect::<Vec<_>>()))
            });
            matches!(both, [Some(before), Some(after)] if before == after)
        }))
    }

    /// Returns the text if it still has these tokens, and fails otherwise.
    fn check(&self, text: String, tokens: TokenStream) -> Result<String> {
        let expected = same::tokens(marks::without(tokens))?;
        let is_same = text
            .parse()
            .is_ok_and(|tokens| same::tokens(tokens).is_ok_and(|tokens| tokens == expected));

        if !is_same {
            return Err(Error::msg(format!(
                "{} cannot be printed as it is compiled: please report this",
                self.name
            )));
        }
        Ok(text.trim_end().to_owned())
    }
}

/// Every part where it belongs.
fn in_place(generated: &Generated<'_>) -> Vec<How> {
    generated.parts().map(|_| How::InPlace).collect()
}

/// Puts a part in the place of its stand-in.
fn put_in(generated: &Generated<'_>, part: usize, anchors: &Anchors<'_>, text: &str) -> String {
    let stand_in = generated.stand_in(part);
    let Some(at) = text.find(&stand_in) else {
        return text.to_owned();
    };

    let source = generated.source(part, anchors, written::indent_at(text, at));
    format!("{}{source}{}", &text[..at], &text[at + stand_in.len()..])
}
