// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The marks by which a test announces a report: `# expect-splat: "<what it contains>"` on the
//! console before, and `# end-expect-splat: "<the same>"` after.
//!
//! Both have the text, and the text has an end, so that a mark that is not whole is told from one
//! that is.

const BEGIN: &str = "# expect-splat: \"";
const END: &str = "# end-expect-splat: \"";

/// What a mark says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mark<'a> {
    /// A report that contains this may come from here on.
    Begin(&'a str),
    /// The same, and the rest of the line is lost.
    CutBegin(&'a str),
    /// It should have come.
    End(&'a str),
}

/// A mark, and what else is on its line.
pub(crate) struct Marked<'a> {
    pub(crate) before: &'a str,
    pub(crate) mark: Mark<'a>,
    pub(crate) after: &'a str,
}

impl<'a> Marked<'a> {
    /// Finds the first mark of a line.
    pub(crate) fn find(line: &'a str) -> Option<Self> {
        let begin = line.find(BEGIN).map(|at| (at, BEGIN));
        let end = line.find(END).map(|at| (at, END));
        let (at, begins_with) = begin.into_iter().chain(end).min()?;
        let rest = &line[at + begins_with.len()..];

        let (mark, after) = match (rest.split_once('"'), begins_with) {
            (Some((text, after)), BEGIN) => (Mark::Begin(text), after),
            (Some((text, after)), _) => (Mark::End(text), after),
            (None, BEGIN) => (Mark::CutBegin(rest), ""),
            // An end that names nothing ends nothing.
            (None, _) => return None,
        };
        Some(Self {
            before: &line[..at],
            mark,
            after,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(line: &str) -> Option<(&str, Mark<'_>, &str)> {
        Marked::find(line).map(|marked| (marked.before, marked.mark, marked.after))
    }

    #[test]
    fn marks_are_found() {
        assert_eq!(
            find("rust_kernel: # expect-splat: \"still mapped\""),
            Some(("rust_kernel: ", Mark::Begin("still mapped"), ""))
        );
        assert_eq!(
            find("rust_kernel: # end-expect-splat: \"still mapped\""),
            Some(("rust_kernel: ", Mark::End("still mapped"), ""))
        );
        assert_eq!(
            find("a# end-expect-splat: \"b\"c# expect-splat: \"d\"e"),
            Some(("a", Mark::End("b"), "c# expect-splat: \"d\"e"))
        );
    }

    #[test]
    fn a_mark_that_is_cut_off_is_not_whole() {
        let whole = "rust_kernel: # expect-splat: \"still mapped\"";
        let named = whole.find('"').unwrap();
        for at in 0..whole.len() {
            let cut = &whole[..at];
            let expected =
                (at > named).then(|| ("rust_kernel: ", Mark::CutBegin(&whole[named + 1..at]), ""));
            assert_eq!(find(cut), expected, "{cut}");
        }

        let whole = "rust_kernel: # end-expect-splat: \"still mapped\"";
        for at in 0..whole.len() {
            assert_eq!(find(&whole[..at]), None);
        }
    }
}
