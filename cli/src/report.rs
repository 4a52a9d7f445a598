// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Reports of errors in a file, in the compiler's style.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::{
    error::Error,
    fmt,
    io::{stderr, IsTerminal},
    ops::Range,
    path::Path,
};

/// One message, and the range that it is about.
pub(crate) struct Diagnostic {
    message: String,
    range: Range<usize>,
    help: Option<String>,
}

impl Diagnostic {
    /// A message about a range of the text.
    pub(crate) fn new(message: impl Into<String>, range: Range<usize>) -> Self {
        Self {
            message: message.into(),
            range,
            help: None,
        }
    }

    /// Adds what to do.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds something to the message.
    pub(crate) fn add(&mut self, what: &str) {
        self.message = format!("{} ({what})", self.message);
    }

    /// With the lines of `text` that it is about.
    fn render(&self, path: &str, text: &str, renderer: &Renderer) -> String {
        let mut range = self.range.start.min(text.len())..self.range.end.min(text.len());
        while !text.is_char_boundary(range.start) {
            range.start -= 1;
        }
        while !text.is_char_boundary(range.end) {
            range.end += 1;
        }

        let snippet = Snippet::source(text)
            .path(path)
            .annotation(AnnotationKind::Primary.span(range));
        let report = Level::ERROR.primary_title(&self.message).element(snippet);
        let report = match &self.help {
            Some(help) => report.element(Level::HELP.message(help)),
            None => report,
        };

        renderer.render(&[report])
    }
}

/// Why a file cannot be expanded; all that is wrong with it.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// Reports `diagnostics` about the file at `path`, which contains `text`.
    pub(crate) fn new(path: &Path, text: &str, diagnostics: Vec<Diagnostic>) -> Self {
        let renderer = if stderr().is_terminal() {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let path = path.display().to_string();
        let reports: Vec<_> = diagnostics
            .iter()
            .map(|diagnostic| diagnostic.render(&path, text, &renderer))
            .collect();

        Self(reports.join("\n\n"))
    }

    /// Several as one; [`None`] if there are none.
    pub(crate) fn all(failures: Vec<Self>) -> Option<Self> {
        let reports: Vec<_> = failures.into_iter().map(|failure| failure.0).collect();

        (!reports.is_empty()).then(|| Self(reports.join("\n\n")))
    }

    /// Adds a note below the error.
    pub(crate) fn note(self, note: impl fmt::Display) -> Self {
        Self(format!("{}\n  = note: {note}", self.0))
    }

    /// There is no text to show.
    pub(crate) fn without_source(message: impl fmt::Display) -> Self {
        Self(format!("error: {message}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Failure {}
