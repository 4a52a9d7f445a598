// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The helpers that the tests of edits share.

use super::source::Source;
use anyhow::Result;

/// An edit, and what has to become of a text.
pub(super) struct Case<'a> {
    pub(super) edit: fn(&mut Source) -> Result<()>,
    pub(super) before: &'a str,
    /// Parts of the text that must not be there afterwards.
    pub(super) gone: &'a [&'a str],
    /// Parts that have to be there afterwards, and are not there before.
    pub(super) new: &'a [&'a str],
    /// Where the text has the second in place of the first, the edit fails with such a message.
    pub(super) refused: &'a [(&'a str, &'a str, &'a str)],
}

impl Case<'_> {
    /// The text after the edit.
    pub(super) fn edited(&self) -> Result<String> {
        self.edited_of(self.before)
    }

    fn edited_of(&self, text: &str) -> Result<String> {
        let mut source = Source::parse(text)?;
        (self.edit)(&mut source)?;
        Ok(source.text().to_owned())
    }

    /// Checks all of it.
    pub(super) fn check(&self) {
        let text = self.edited().unwrap();
        for gone in self.gone {
            assert!(self.before.contains(gone), "{gone} is not there");
            assert!(!text.contains(gone), "{gone}:\n{text}");
        }
        for new in self.new {
            assert!(!self.before.contains(new), "{new} is there");
            assert!(text.contains(new), "{new}:\n{text}");
        }
        for (from, to, expected) in self.refused {
            assert!(self.before.contains(from), "{from} is not there");
            let error = self.edited_of(&self.before.replace(from, to)).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
