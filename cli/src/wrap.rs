// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Text to lines of limited width.

/// Wraps each line of `text` at spaces, so that no line is longer than `width` unless a single word
/// is. Further lines of a bullet are indented as its text.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();

    for paragraph in text.lines() {
        let indent = if paragraph.starts_with("- ") {
            "  "
        } else {
            ""
        };
        let mut line = String::new();

        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.len() + 1 + word.len() > width {
                lines.push(line);
                line = indent.to_owned();
            } else if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }

    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_long_as_allowed() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("one two three", 6), ["one", "two", "three"]);
        assert_eq!(wrap("incomprehensible", 6), ["incomprehensible"]);
    }

    #[test]
    fn paragraphs_and_bullets_stay() {
        assert_eq!(
            wrap("Why:\n- one two three\n\nend", 9),
            ["Why:", "- one two", "  three", "", "end"]
        );
    }
}
