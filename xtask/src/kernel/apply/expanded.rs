// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Annotated items as they are printed, for a tree that has no macro: what
//! `cargo devres-lazy expand` makes of a file.

use crate::kernel::{pattern::pattern, tree::Tree};
use anyhow::{Context, Result};
use cargo_devres_lazy::{expand, is_annotated, Options, Source};
use regex_lite::Regex;
use std::{ffi::OsStr, path::Path, sync::LazyLock};

/// Chapters of docs/safety.md that comments name, and that no tree has. The first two are also named
/// by `OwnerView::new()`.
static CHAPTER: LazyLock<Regex> = pattern!(r" \(S(?:[3-9]|1[0-9])\)");

/// Changes `printed` as `tree` was changed since it was `before`, with all items in their printed
/// form.
pub(super) fn print(tree: &Tree, before: &Tree, printed: &mut Tree) -> Result<()> {
    for (path, text) in tree.edits_since(before) {
        // Where it stands, as rustfmt wants to know.
        let file = tree.root().join(path);
        let text = file_text(&file, text)
            .with_context(|| format!("{} cannot be printed", path.display()))?;
        printed.write(path, text);
    }

    Ok(())
}

/// The text of a file of its own, or what it is expanded to.
fn file_text(file: &Path, text: &str) -> Result<String> {
    if file.extension() != Some(OsStr::new("rs")) {
        return Ok(text.to_owned());
    }
    let source = Source::from_bytes(file, text.as_bytes().to_vec())?;
    if !is_annotated(&source)? {
        return Ok(text.to_owned());
    }

    let text = expand(&source, &Options::default())?;
    Ok(CHAPTER.replace_all(&text, "").into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNOTATED: &str = "\
use crate::{
    devres_lazy,
    prelude::*, //
};

#[devres_lazy]
#[pin_data]
struct Object {
    dev: ARef<Device>,
    #[lazy(fn table, device = &self.dev, init = Table::new())]
    table: Table,
}
";

    #[test]
    fn what_is_annotated_is_printed() {
        let printed = |name: &str, text: &str| file_text(Path::new(name), text);
        let text = printed("a.rs", ANNOTATED).unwrap();
        assert!(!text.contains("devres_lazy"), "{text}");
        for new in [
            "    table: ::kernel::devres::Lazy<Table>,\n",
            "        // Slow path: one caller populates the field.",
        ] {
            assert!(text.contains(new), "{text}");
        }
        assert!(!text.contains("(S4)"), "{text}");

        // All else stays.
        for (name, text) in [
            ("Kconfig", "config A\n#[devres_lazy]\n"),
            ("a.rs", "//! Of `#[devres_lazy]`.\n\nfn  f( ){}\n"),
        ] {
            assert_eq!(printed(name, text).unwrap(), text);
        }
        let error = printed("a.rs", &ANNOTATED.replace("fn table, ", "")).unwrap_err();
        assert!(error.to_string().contains("a.rs:11:5"), "{error}");
    }
}
