// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The first line of a file, if it is for the system that runs the file and not for rustc.

use crate::remarks::behind_block;

/// The length of the shebang at the start of `text`, without the end of its line.
///
/// As rustc decides it: `#!` begins an attribute if the next token, white space and comments aside,
/// is `[`, on whatever line that stands.
pub(crate) fn length(text: &str) -> usize {
    match text.strip_prefix("#!") {
        Some(rest) if !skip_trivia(rest).starts_with('[') => text.find('\n').unwrap_or(text.len()),
        _ => 0,
    }
}

/// Skips white space and comments, but not documentation.
fn skip_trivia(mut text: &str) -> &str {
    loop {
        let rest = text.trim_start_matches(|c: char| {
            c.is_whitespace() || matches!(c, '\u{200e}' | '\u{200f}')
        });
        let rest = if is_comment(rest, "//") {
            rest.find('\n').map_or("", |end| &rest[end..])
        } else if is_comment(rest, "/*") && !rest.starts_with("/**/") {
            behind_block(rest)
        } else {
            rest.strip_prefix("/**/").unwrap_or(rest)
        };
        if rest.len() == text.len() {
            return rest;
        }
        text = rest;
    }
}

/// Whether a comment begins here that is no documentation: `///`, `//!`, `/**` or `/*!`.
fn is_comment(text: &str, open: &str) -> bool {
    let Some(rest) = text.strip_prefix(open) else {
        return false;
    };
    // Four slashes or three stars are a comment again.
    let outer = &open[1..];

    !rest.starts_with('!') && (!rest.starts_with(outer) || rest[1..].starts_with(outer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shebang_is_a_line() {
        for line in [
            "#!/usr/bin/env run",
            "#! /usr/bin/env run",
            "#!\t/bin/run [a]",
            "#!",
            "#! // a comment, and no attribute",
            "#!/* no end [",
            "#!/// documentation [",
            "#!/** documentation */ [a]",
            "#!run",
        ] {
            for end in ["", "\nfn main() {}\n", "\n#![allow(dead_code)]\n"] {
                assert_eq!(length(&format!("{line}{end}")), line.len(), "{line:?}");
            }
        }
    }

    #[test]
    fn an_attribute_is_none() {
        for text in [
            "",
            "fn main() {}",
            "#[a] fn main() {}",
            "#![a]",
            "#! [a]",
            "#!\n[a]",
            "#!\r\n\r\n[a]",
            "#! // a comment\n[a]",
            "#!//// a comment\n[a]",
            "#! /* a /* nested */ comment */ [a]",
            "#!/**/[a]",
            "#!/*** a comment */ [a]",
            "#!\u{200e}[a]",
        ] {
            assert_eq!(length(text), 0, "{text:?}");
        }
    }
}
