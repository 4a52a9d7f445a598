// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Pages of `docs/` whose prose is written by hand, and whose measured parts a command writes.

use anyhow::{Context, Result};
use std::{fs, path::Path};

/// Writes measured parts into a page, by their names.
pub(crate) fn write(path: &Path, parts: &[(&str, String)]) -> Result<()> {
    let mut page = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    for (part, text) in parts {
        page = fill(&page, part, text).with_context(|| path.display().to_string())?;
    }
    fs::write(path, page).with_context(|| path.display().to_string())
}

/// Puts a text between the two comments that begin and end a part of a page.
fn fill(page: &str, part: &str, text: &str) -> Result<String> {
    let (begin, end) = (
        format!("<!-- begin {part} "),
        format!("<!-- end {part} -->"),
    );
    let lacks = |what: &str| format!("the page lacks the line `{what}`: take it from the history");

    let (_, behind) = page.split_once(&begin).with_context(|| lacks(&begin))?;
    let (_, old) = behind.split_once("-->\n").with_context(|| lacks(&begin))?;
    let (old, rest) = old.split_once(&end).with_context(|| lacks(&end))?;

    let before = &page[..page.len() - old.len() - end.len() - rest.len()];
    Ok(format!("{before}\n{}\n\n{end}{rest}", text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_by_hand_stays() {
        let page = "a\n<!-- begin x by `y` -->\nold\n<!-- end x -->\nb\n";

        let filled = "a\n<!-- begin x by `y` -->\n\nnew\n\n<!-- end x -->\nb\n";
        assert_eq!(fill(page, "x", "new\n").unwrap(), filled);
        assert_eq!(fill(filled, "x", "new\n").unwrap(), filled);
        assert!(fill(page, "y", "").is_err());
        for lost in ["<!-- begin x ", "-->\n", "<!-- end x -->"] {
            assert!(fill(&page.replace(lost, ""), "x", "").is_err(), "{lost}");
        }
    }
}
