// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The texts of the cover letter and the patches. Each is a file of `kernel/series/` with the name
//! of its step. The printed form has a file of `kernel/series/expanded/` where the text differs.
//! Figures are filled in: `{version}`, and the counts of `shmem.rs`, as in `{by_hand_lines}`.

use super::super::{apply::Counts, flavour::Object, tree::Version};
use crate::root;
use anyhow::{bail, Context, Error, Result};
use std::fs;

/// The name of the text of the cover letter.
pub(super) fn cover(object: Object) -> &'static str {
    match object {
        Object::Mended(_) => "fixes/cover",
        _ => "cover",
    }
}

/// Figures, by name.
pub(super) type Figures = Vec<(&'static str, String)>;

/// The figures of a series, of which one has no converted object.
pub(super) fn figures(version: Version, counts: Option<&Counts>) -> Figures {
    let mut figures = vec![("version", version.to_string())];
    figures.extend(counts.into_iter().flat_map(figures_of));
    figures
}

fn figures_of(counts: &Counts) -> [(&'static str, String); 6] {
    [
        ("by_hand_lines", counts.by_hand.lines.to_string()),
        ("by_hand_unsafe", counts.by_hand.unsafes.to_string()),
        ("printed_lines", counts.printed.lines.to_string()),
        ("printed_unsafe", counts.printed.unsafes.to_string()),
        ("annotated_lines", counts.annotated.lines.to_string()),
        ("annotated_unsafe", counts.annotated.unsafes.to_string()),
    ]
}

/// Puts figures into a text.
fn fill_in(text: &str, figures: &Figures) -> Result<String> {
    let mut text = text.to_owned();
    for (name, figure) in figures {
        text = text.replace(&format!("{{{name}}}"), figure);
    }
    if let Some((_, rest)) = text.split_once('{') {
        let name = rest.split_once('}').context("a `{` is not closed")?.0;
        bail!("there is no figure `{name}`");
    }
    Ok(text)
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

    fs::read_to_string(&path)
        .map_err(Error::from)
        .and_then(|text| fill_in(without_licence(&text), figures))
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
    use crate::kernel::apply::{step_names, Count, Fixes};

    /// As wide as what is really filled in.
    fn wide() -> Figures {
        let count = Count {
            lines: 999,
            unsafes: 99,
        };
        let counts = Counts {
            by_hand: count,
            printed: count,
            annotated: count,
        };
        figures(Version(7, 3, 99), Some(&counts))
    }

    #[test]
    fn every_patch_says_why() {
        let fixes = Object::Mended(Fixes::ALL);
        for object in [Object::Annotated, Object::Expanded, fixes] {
            for step in step_names(object).into_iter().chain([cover(object)]) {
                let text = message(step, object, &wide()).unwrap();
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
    fn the_cover_letter_numbers_all_patches() {
        for object in [Object::Annotated, Object::Expanded] {
            let text = message(cover(object), object, &wide()).unwrap();
            let groups = text.lines().filter_map(|line| line.strip_prefix("- "));
            let mut next = 1;
            for numbers in groups
                .filter_map(|group| group.split_once(": "))
                .map(|it| it.0)
            {
                let ends = numbers.split(" to ").map(str::parse);
                let Ok(ends) = ends.collect::<Result<Vec<usize>, _>>() else {
                    continue;
                };
                assert_eq!(ends[0], next, "{object:?}: {numbers}");
                next = ends[ends.len() - 1] + 1;
            }
            assert_eq!(next, step_names(object).len() + 1, "{object:?}");
        }
    }

    #[test]
    fn figures_are_known() {
        let text = fill_in("a {by_hand_lines} b {version}.", &wide());
        assert_eq!(text.unwrap(), "a 999 b 7.3.99.");
        for text in ["{lines}", "{by_hand_lines", "{}"] {
            assert!(fill_in(text, &wide()).is_err(), "{text}");
        }
    }

    #[test]
    fn the_licence_is_not_part_of_it() {
        for (text, expected) in [
            ("# SPDX-License-Identifier: X\n\ntitle\n", "title\n"),
            ("#[a]: b\n", "#[a]: b\n"),
        ] {
            assert_eq!(without_licence(text), expected);
        }
    }
}
