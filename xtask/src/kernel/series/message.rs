// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The texts of the cover letter and the patches. Each is a file of `kernel/series/` with the name
//! of its step. The printed form has a file of `kernel/series/expanded/` where the text differs.
//! Figures are filled in: `{version}`, and the counts of `shmem.rs`, as in `{by_hand_lines}`.

use super::super::{apply::Counts, flavour::Object, tree::Version};
use crate::root;
use anyhow::{bail, Context, Result};
use std::fs;

/// The name of the text of the cover letter.
pub(super) fn cover(object: Object) -> &'static str {
    match object {
        Object::Mended(_) => "fixes/cover",
        _ => "cover",
    }
}

/// A figure, and its name.
pub(super) struct Figures(Vec<(&'static str, String)>);

impl Figures {
    pub(super) fn new(version: Version, counts: Option<&Counts>) -> Self {
        let mut figures = vec![("version", version.to_string())];
        if let Some(counts) = counts {
            figures.extend([
                ("by_hand_lines", counts.by_hand.lines.to_string()),
                ("by_hand_unsafe", counts.by_hand.unsafes.to_string()),
                ("converted_lines", counts.converted.lines.to_string()),
                ("converted_unsafe", counts.converted.unsafes.to_string()),
            ]);
        }
        Self(figures)
    }

    /// Puts them into a text.
    fn fill_in(&self, text: &str) -> Result<String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, behind) = behind.split_once('}').context("a `{` is not closed")?;
            let Some((_, figure)) = self.0.iter().find(|(known, _)| *known == name) else {
                bail!("there is no figure `{name}`");
            };
            filled.push_str(before);
            filled.push_str(figure);
            rest = behind;
        }
        filled.push_str(rest);

        Ok(filled)
    }
}

/// The message for a step.
pub(super) fn message(step: &str, object: Object, figures: &Figures) -> Result<String> {
    let folder = root().join("kernel/series");
    let own = folder.join(format!("expanded/{step}.txt"));
    let path = if object == Object::Expanded && own.exists() {
        own
    } else {
        folder.join(format!("{step}.txt"))
    };

    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    figures
        .fill_in(without_licence(&text))
        .with_context(|| path.display().to_string())
}

/// The text behind the line that says how one may use it.
fn without_licence(text: &str) -> &str {
    match text.split_once('\n') {
        Some((line, rest)) if line.starts_with("# SPDX-") => rest.trim_start(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::apply::{step_names, Fixes};

    /// As wide as what is really filled in.
    fn figures() -> Figures {
        let names = ["by_hand", "converted"];
        let mut figures = vec![("version", "7.3.99".to_owned())];
        figures.extend(names.iter().flat_map(|name| {
            [("lines", "999"), ("unsafe", "99")].map(|(what, figure)| {
                let name: &'static str = format!("{name}_{what}").leak();
                (name, figure.to_owned())
            })
        }));
        Figures(figures)
    }

    #[test]
    fn every_patch_says_why() {
        let fixes = Object::Mended(Fixes::ALL);
        for object in [Object::Annotated, Object::Expanded, fixes] {
            for step in step_names(object).into_iter().chain([cover(object)]) {
                let text = message(step, object, &figures()).unwrap();
                let (title, body) = text.split_once("\n\n").unwrap();

                assert!(title.contains(": "), "{step}: {title}");
                assert!(!body.trim().is_empty(), "{step}");
                for line in text.lines() {
                    assert!(line.len() <= 75, "{step}, {object:?}: {line}");
                    // Git would take it for the end, or for a comment.
                    assert!(!line.starts_with("---"), "{step}: {line}");
                    assert!(!line.starts_with('#'), "{step}: {line}");
                }
            }
        }
    }

    #[test]
    fn figures_are_known() {
        let figures = figures();
        assert_eq!(
            figures.fill_in("a {by_hand_lines} b {version}.").unwrap(),
            "a 999 b 7.3.99."
        );
        for text in ["{lines}", "{by_hand_lines", "{}"] {
            assert!(figures.fill_in(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_licence_is_not_part_of_it() {
        assert_eq!(
            without_licence("# SPDX-License-Identifier: X\n\ntitle\n"),
            "title\n"
        );
        assert_eq!(without_licence("#[a]: b\n"), "#[a]: b\n");
    }
}
