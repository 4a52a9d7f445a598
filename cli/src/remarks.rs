// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The comments of a source, which are in the gaps between its tokens. Documentation is a token.

use crate::written::Written;

/// The comments in a text, in order; [`None`] if the text cannot be lexed.
#[must_use]
pub fn of(text: &str) -> Option<Vec<&str>> {
    let written = Written::new(text, text.parse().ok()?, &(0..text.len()));

    Some(written.all_gaps().flat_map(in_gap).collect())
}

/// The comments in a text, and its documentation as comments; none if the text cannot be lexed.
pub(crate) fn with_docs(text: &str) -> Vec<String> {
    let Ok(tokens) = text.parse() else {
        return Vec::new();
    };
    let written = Written::new(text, tokens, &(0..text.len()));

    let mut comments = Vec::new();
    for (number, gap) in written.all_gaps().enumerate() {
        comments.extend(in_gap(gap).into_iter().map(ToOwned::to_owned));
        if number < written.len() {
            let token = written.token(number);
            for (doc, comment) in [("///", "//"), ("/**", "/*")] {
                let text = token.strip_prefix(doc);
                comments.extend(text.map(|text| format!("{comment}{text}")));
            }
        }
    }
    comments
}

/// The comments in a gap.
pub(crate) fn in_gap(gap: &str) -> Vec<&str> {
    let mut comments = Vec::new();
    let mut rest = gap.trim_start();
    while !rest.is_empty() {
        let end = match rest.strip_prefix("/*") {
            Some(_) => rest.len() - behind_block(rest).len(),
            None => rest.find('\n').unwrap_or(rest.len()),
        };
        let (comment, behind) = rest.split_at(end);
        comments.push(comment.trim_end());
        rest = behind.trim_start();
    }

    comments
}

/// Returns the text behind the block comment that `text` begins with. Others may be nested in it.
pub(crate) fn behind_block(text: &str) -> &str {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return &text[at..];
            }
        } else {
            match rest.chars().next() {
                Some(c) => at += c.len_utf8(),
                // The comment has no end: the lexer will report it.
                None => return "",
            }
        }
    }
}

/// A comment, whatever white space is in it.
pub(crate) fn words(comment: &str) -> String {
    comment.split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_what_is_between_tokens() {
        for (text, comments) in [
            ("a b", &[][..]),
            (
                "// a\n/* b /* c */ */ d /* e */// f",
                &["// a", "/* b /* c */ */", "/* e */", "// f"],
            ),
            ("f(\"// a\", '/', /* b */ r#\"/* c */\"#)", &["/* b */"]),
            ("/// a\n//! b\n/** c */ d //// e", &["//// e"]),
            ("a // b  \n\n  // c\n", &["// b", "// c"]),
            ("// a\n", &["// a"]),
        ] {
            assert_eq!(of(text).unwrap(), comments, "{text:?}");
        }
        assert_eq!(of("( // a"), None);
    }
}
