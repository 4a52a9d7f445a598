// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The marks by which a test announces a report: `# expect-splat: "<what it contains>"` on the
//! console before, and `# end-expect-splat: "<the same>"` after.
//!
//! Both have the text, and the text has an end, so that a mark that is not whole is told from one
//! that is.

const BEGIN: &str = "# expect-splat: \"";
const END: &str = "# end-expect-splat: \"";

/// A mark, and what else is on its line.
#[derive(Debug, PartialEq)]
pub(crate) struct Mark<'a> {
    pub(crate) before: &'a str,
    /// Whether a report may come from here on, or else should have come.
    pub(crate) begins: bool,
    /// The text that the report contains.
    pub(crate) contains: &'a str,
    /// Whether that is all of it, or else the rest of the line is lost.
    pub(crate) is_whole: bool,
    pub(crate) after: &'a str,
}

impl<'a> Mark<'a> {
    /// Finds the first mark of a line.
    pub(crate) fn find(line: &'a str) -> Option<Self> {
        let places = [BEGIN, END].map(|mark| line.find(mark).map(|at| (at, mark)));
        let (at, mark) = places.into_iter().flatten().min()?;
        let begins = mark == BEGIN;
        let rest = &line[at + mark.len()..];
        let (contains, is_whole, after) = match rest.split_once('"') {
            Some((contains, after)) => (contains, true, after),
            // An end that names nothing ends nothing.
            None => begins.then_some((rest, false, ""))?,
        };

        Some(Self {
            before: &line[..at],
            begins,
            contains,
            is_whole,
            after,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a whole mark: the text before, whether it begins, its own text, and the text after.
    fn whole(line: &str) -> Option<(&str, bool, &str, &str)> {
        let mark = Mark::find(line)?;
        assert!(mark.is_whole);
        Some((mark.before, mark.begins, mark.contains, mark.after))
    }

    #[test]
    fn marks_are_found() {
        assert_eq!(
            whole("rust_kernel: # expect-splat: \"still mapped\""),
            Some(("rust_kernel: ", true, "still mapped", ""))
        );
        assert_eq!(
            whole("rust_kernel: # end-expect-splat: \"still mapped\""),
            Some(("rust_kernel: ", false, "still mapped", ""))
        );
        assert_eq!(
            whole("a# end-expect-splat: \"b\"c# expect-splat: \"d\"e"),
            Some(("a", false, "b", "c# expect-splat: \"d\"e"))
        );
    }

    #[test]
    fn a_mark_that_is_cut_off_is_not_whole() {
        let whole = "rust_kernel: # expect-splat: \"still mapped\"";
        let named = whole.find('"').unwrap();
        for at in 0..whole.len() {
            let expected = (at > named).then(|| Mark {
                before: "rust_kernel: ",
                begins: true,
                contains: &whole[named + 1..at],
                is_whole: false,
                after: "",
            });
            assert_eq!(Mark::find(&whole[..at]), expected, "{at}");
        }

        let whole = "rust_kernel: # end-expect-splat: \"still mapped\"";
        for at in 0..whole.len() {
            assert_eq!(Mark::find(&whole[..at]), None);
        }
    }
}
