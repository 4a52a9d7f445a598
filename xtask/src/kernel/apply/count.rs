// SPDX-License-Identifier: Apache-2.0 OR MIT

//! How much code there is in `drm/gem/shmem.rs`, before and after. Tests, comments and
//! documentation are not counted, nor are lines that are empty.

use anyhow::Result;
use syn::{spanned::Spanned, Item};

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Count {
    pub(crate) lines: usize,
    /// Blocks, functions and implementations.
    pub(crate) unsafes: usize,
}

/// The counts of a file, with the table by hand, with the lazy field in print, and annotated.
pub(crate) struct Counts {
    pub(crate) by_hand: Count,
    pub(crate) printed: Count,
    pub(crate) annotated: Count,
}

/// Counts the code of a file.
pub(super) fn code(text: &str) -> Result<Count> {
    let mut count = Count::default();
    let items = syn::parse_file(text)?.items;
    // Tests are modules.
    let items = items.iter().filter(|item| !matches!(item, Item::Mod(_)));
    for line in items.flat_map(|item| text[item.span().byte_range()].lines()) {
        let code = line.split("//").next().unwrap_or_default();
        let words = code.split(|char: char| !char.is_alphanumeric() && char != '_');
        count.lines += usize::from(!code.trim().is_empty());
        count.unsafes += words.filter(|word| *word == "unsafe").count();
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
//! Documentation.

use a::b;

/// Documentation.
pub struct Object {
    // A comment.
    a: u32,
    #[lazy(
        map = SgTable,
    )]
    sgt: u32,
}

impl Object {
    fn new() -> Self {
        // SAFETY: None.
        unsafe { g(sgt <- z, /* in */ y); }
    }
}

unsafe impl Send for SgTable {}

#[kunit_tests(x)]
mod tests {
    unsafe fn f() {}
}
";

    #[test]
    fn code_is_counted_and_nothing_else() {
        let expected = Count {
            lines: 1 + 7 + 5 + 1,
            unsafes: 2,
        };
        assert_eq!(code(TEXT).unwrap(), expected);
    }
}
