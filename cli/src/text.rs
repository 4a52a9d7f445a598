// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Text made of tokens, with a layout that is readable where rustfmt does not format it.

use proc_macro2::Spacing;

/// A path behind one of these words has a space in front.
const WORDS: [&str; 20] = [
    "as", "break", "const", "dyn", "else", "for", "if", "impl", "in", "let", "match", "move",
    "mut", "raw", "ref", "return", "unsafe", "use", "where", "while",
];

/// How far a brace indents.
pub(crate) const TAB: &str = "    ";

/// A text under construction.
#[derive(Default)]
pub(crate) struct Text {
    out: String,
    /// Whether the next token belongs to the last one.
    is_joint: bool,
    /// Whether the last thing is a comment up to the end of the line.
    is_comment: bool,
    /// The indentation of new lines outside new braces.
    indentation: String,
    /// The number of new braces that are open.
    depth: usize,
}

impl Text {
    pub(crate) fn finish(self) -> String {
        self.out
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Whether a line begins here.
    pub(crate) fn is_at_line_start(&self) -> bool {
        self.out.ends_with('\n')
    }

    /// Sets the indentation of lines from here on, copied lines aside.
    pub(crate) fn set_indent(&mut self, indentation: String) {
        self.indentation = indentation;
    }

    /// Ends a line, unless none has begun.
    fn end_line(&mut self) {
        if !self.out.is_empty() && !self.is_at_line_start() {
            self.out.push('\n');
        }
    }

    /// Indents a line, if one begins here.
    pub(crate) fn indent(&mut self) {
        if self.is_at_line_start() {
            self.out.push_str(&self.indentation);
            self.out.push_str(&TAB.repeat(self.depth));
        }
    }

    /// Copies from the source.
    pub(crate) fn write(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let glues = |c: char| c.is_alphanumeric() || c == '_';
        if self.is_comment && !text.starts_with('\n') {
            self.out.push('\n');
        } else if (self.out.ends_with(glues) || self.out.ends_with(']')) && text.starts_with(glues)
        {
            self.out.push(' ');
        }
        self.is_comment = false;
        self.is_joint = false;
        self.out.push_str(text);
    }

    /// Copies a token from the source, which may be documentation, or a comment.
    pub(crate) fn write_token(&mut self, token: &str) {
        self.write(token);
        self.is_comment = token.starts_with("//");
    }

    /// Prints a line of its own.
    pub(crate) fn line(&mut self, line: &str) {
        self.end_line();
        self.indent();
        self.out.push_str(line);
        self.out.push('\n');
        self.is_joint = false;
        self.is_comment = false;
    }

    /// Prints a token.
    pub(crate) fn token(&mut self, token: &str, spacing: Spacing) {
        if self.is_comment {
            self.out.push('\n');
            self.is_comment = false;
        }

        if token == "}" {
            self.end_line();
            self.depth = self.depth.saturating_sub(1);
        }
        if !self.is_tight(token, spacing) && !self.out.is_empty() {
            self.out.push(' ');
        }
        self.indent();
        self.out.push_str(token);
        self.is_joint = spacing == Spacing::Joint;
        self.is_comment = token.starts_with("//");

        if token == "{" {
            self.depth += 1;
        }
        if matches!(token, "{" | "}" | ";") {
            self.out.push('\n');
        }
    }

    /// Whether there is no space in front of a token.
    fn is_tight(&self, token: &str, spacing: Spacing) -> bool {
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '\'';
        let last_word = &self.out[self.out.trim_end_matches(is_word).len()..];
        let is_name =
            !last_word.is_empty() && !last_word.starts_with('\'') && !WORDS.contains(&last_word);
        let is_type =
            self.out.ends_with('>') && !self.out.ends_with("->") && !self.out.ends_with("=>");
        let is_path = token == ":" && spacing == Spacing::Joint;
        let is_colon = token == ":" && spacing == Spacing::Alone;

        self.is_joint
            || self
                .out
                .ends_with([' ', '\n', '(', '[', '&', '<', '#', '!', '.'])
            || self.out.ends_with("::")
            || is_colon
            || matches!(token, "," | ";" | "." | ")" | "]" | "?" | ">" | "<" | "(")
            || (is_path && (is_name || is_type))
    }
}
