// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Text that is made of the fuzzer's choices.

use arbitrary::Unstructured;

/// A group of this name and with parentheses stands for one without delimiters, which is what the
/// fragments of a `macro_rules!` are and no text can be.
pub(crate) const GROUP: &str = "__group_";

/// The expected result for a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It is expanded.
    Success,
    /// Something is said to be wrong with it.
    Error,
    /// Either.
    Any,
}

/// Whether there are comments between tokens, and line breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Plain,
    Commented,
}

/// Writes a text.
///
/// When the bytes are used up, each choice is the first one, and nothing rare happens.
pub(crate) struct Writer<'a, 'u> {
    bytes: &'a mut Unstructured<'u>,
    layout: Layout,
    out: String,
    /// The white space that is left out in front of a token.
    skipped: &'static str,
    expected: Expected,
    numbers: u32,
    /// How many items are annotated.
    pub(crate) annotated: u32,
}

impl<'a, 'u> Writer<'a, 'u> {
    /// For an item.
    pub(crate) fn new(bytes: &'a mut Unstructured<'u>) -> Self {
        Self::with(bytes, Layout::Plain, "\0")
    }

    /// For a file, where no group is without delimiters.
    pub(crate) fn of_file(bytes: &'a mut Unstructured<'u>, layout: Layout) -> Self {
        Self::with(bytes, layout, GROUP)
    }

    fn with(bytes: &'a mut Unstructured<'u>, layout: Layout, skipped: &'static str) -> Self {
        Self {
            bytes,
            layout,
            skipped,
            out: String::new(),
            expected: Expected::Success,
            numbers: 0,
            annotated: 0,
        }
    }

    /// The text, and what should become of it.
    pub(crate) fn finish(self) -> (String, Expected) {
        (self.out, self.expected)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.bytes.int_in_range(0..=end - 1).unwrap_or_default()
    }

    /// One of these.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Happens once in `n` times.
    pub(crate) fn rarely(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    /// A number that no other call has returned.
    pub(crate) fn number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    /// Makes a mistake once in `n` times, and notes that.
    pub(crate) fn mistake(&mut self, n: usize) -> bool {
        let is_wrong = self.rarely(n);
        if is_wrong {
            self.wrong();
        }
        is_wrong
    }

    /// Notes that something is wrong with the text.
    pub(crate) fn wrong(&mut self) {
        if self.expected == Expected::Success {
            self.expected = Expected::Error;
        }
    }

    /// As [`mistake()`](Self::mistake), but it may turn out to be none.
    pub(crate) fn slip(&mut self, n: usize) -> bool {
        let is_wrong = self.rarely(n);
        if is_wrong {
            self.anything_goes();
        }
        is_wrong
    }

    /// Notes that the text may be refused, or expanded.
    pub(crate) fn anything_goes(&mut self) {
        self.expected = Expected::Any;
    }

    /// Writes tokens. Where there is a space between them there may be something else.
    pub(crate) fn tokens(&mut self, tokens: &str) {
        for token in tokens.split(' ') {
            self.gap();
            let token = token.strip_prefix(self.skipped).unwrap_or(token);
            self.out.push_str(token);
        }
    }

    /// Writes one of these.
    pub(crate) fn one_of(&mut self, choices: &[&str]) {
        let choice = self.pick(choices);
        self.tokens(choice);
    }

    /// Writes a line of its own.
    pub(crate) fn line(&mut self, line: &str) {
        self.end_line();
        self.out.push_str(line);
        self.out.push('\n');
    }

    /// Ends the line, if something is on it.
    pub(crate) fn end_line(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
    }

    /// Writes text as it is.
    pub(crate) fn raw(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// Changes what is written so far.
    pub(crate) fn edit(&mut self, edit: impl FnOnce(&str) -> String) {
        self.out = edit(&self.out);
    }

    fn gap(&mut self) {
        if self.layout == Layout::Plain {
            self.out.push(' ');
            return;
        }

        match self.below(64) {
            60 => {
                let number = self.number();
                self.out.push_str(&format!(" /* c{number} */ "));
            }
            61 => {
                let number = self.number();
                self.out.push_str(&format!(" // c{number}\n    "));
            }
            62 => {
                let number = self.number();
                let comment = self.pick(&[
                    "/* SAFETY: /* nested */ */",
                    "/**/",
                    "/***/",
                    "//\n",
                    "////\n",
                    "// \u{e4}\u{200b}\u{1d11e} \" ' {\n",
                    "//@0\n",
                    "// SAFETY: Says why.\n// - `a` is, with a longer line behind it.\n",
                ]);
                self.out.push_str(&format!("\n{comment} /* d{number} */ "));
            }
            57..=59 => self.out.push_str("\n    "),
            56 => self.out.push_str("\n\n\t"),
            55 => self.out.push_str("   "),
            _ => self.out.push(' '),
        }
    }
}
