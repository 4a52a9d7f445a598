// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Edits of a file: by item, or by line.

use super::source::{only, Source};
use anyhow::{anyhow, ensure, Context, Result};

/// The options that are added.
const OPTIONS: &str = include_str!("../../../../kernel/items/Kconfig");

/// An edit of a file.
pub(super) enum Edit {
    /// By item, of a Rust file.
    Items(fn(&mut Source) -> Result<()>),
    /// By text, of C code that is fixed, or of a file that a step has added.
    Text(fn(&str) -> Result<String>),
    /// Adds the second line in front of the first one.
    Before(&'static str, &'static str),
    /// Adds the second line behind the first one.
    Behind(&'static str, &'static str),
    /// Adds the second option in front of the first one, in a `Kconfig`.
    Option(&'static str, &'static str),
    /// Adds a sample of this name behind all others, in a `Makefile`.
    Target(&'static str),
}

impl Edit {
    /// Returns the text after the edit.
    pub(super) fn apply(&self, text: &str) -> Result<String> {
        let find = |wanted: &str| {
            let lines = text.lines().enumerate();
            let found = lines.filter(|(_, line)| line.trim_end() == wanted);
            only(found.map(|(at, _)| at)).map_err(|count| match count {
                0 => anyhow!("there is no `{wanted}` to stand beside"),
                _ => anyhow!("there are {count} of `{wanted}`, not one"),
            })
        };
        let (at, new) = match self {
            Self::Items(edit) => {
                let mut source = Source::parse(text)?;
                edit(&mut source)?;
                return Ok(source.text().to_owned());
            }
            Self::Text(edit) => return edit(text),
            Self::Before(line, new) => (find(line)?, format!("{new}\n")),
            Self::Behind(line, new) => (find(line)? + 1, format!("{new}\n")),
            Self::Option(other, name) => (find(&format!("config {other}"))?, option(name)?),
            Self::Target(name) => {
                let sample = "obj-$(CONFIG_SAMPLE_RUST_";
                let last = text.lines().rev().position(|line| line.starts_with(sample));
                let last = last.with_context(|| format!("there is no `{sample}..)`"))?;
                let module = name.to_ascii_lowercase();
                let new = format!("obj-$(CONFIG_SAMPLE_{name})\t\t+= {module}.o\n");
                (text.lines().count() - last, new)
            }
        };

        let first = new.lines().next().unwrap_or_default();
        let is_here = text.lines().any(|line| line.trim_end() == first);
        ensure!(!is_here, "there is `{first}` already");
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        Ok(lines[..at].concat() + &new + &lines[at..].concat())
    }
}

/// One of the options, with the empty line behind it.
fn option(name: &str) -> Result<String> {
    let start = OPTIONS.find(&format!("config {name}\n"));
    let text = &OPTIONS[start.with_context(|| format!("we have no option `{name}`"))?..];
    let end = text.find("\n\nconfig ").unwrap_or(text.len() - 1);
    Ok(format!("{}\n\n", &text[..end]))
}

#[cfg(test)]
mod tests {
    use super::Edit::{Before, Behind, Option, Target};

    #[test]
    fn lines_come_where_they_are_asked_for() {
        let samples = "obj-$(CONFIG_SAMPLE_RUST_A)\t+= rust_a.o\n\nx-y := main.o\n";
        for (edit, before, expected) in [
            (Before("a", "0"), "a\nab\n", "0\na\nab\n"),
            // A line is found as a whole.
            (Behind("ab", "b"), "a\nab\n", "a\nab\nb\n"),
            (
                Target("RUST_B"),
                samples,
                "obj-$(CONFIG_SAMPLE_RUST_A)\t+= rust_a.o\n\
                 obj-$(CONFIG_SAMPLE_RUST_B)\t\t+= rust_b.o\n\nx-y := main.o\n",
            ),
        ] {
            let text = edit.apply(before).unwrap();
            assert_eq!(text, expected);
            // It is added once.
            assert!(edit.apply(&text).is_err(), "{text}");
        }

        let edit = Option("A", "SAMPLE_RUST_DRM_EDU");
        let text = edit.apply("config A\n\tbool\n").unwrap();
        assert!(
            text.starts_with("config SAMPLE_RUST_DRM_EDU\n\ttristate"),
            "{text}"
        );
        assert!(
            text.ends_with("  If unsure, say N.\n\nconfig A\n\tbool\n"),
            "{text}"
        );
        assert_eq!(text.matches("config ").count(), 2);
        assert!(edit.apply(&text).is_err(), "{text}");
    }

    #[test]
    fn what_is_not_as_expected_is_said() {
        for (edit, error) in [
            (Before("b", "c"), "there is no `b` to stand beside"),
            (Behind("a", "a"), "there is `a` already"),
            (Behind("twice", "b"), "there are 2 of `twice`, not one"),
            (
                Option("a", "SAMPLE_RUST_DRM_EDU"),
                "there is no `config a` to stand beside",
            ),
            (Option("A", "B"), "we have no option `B`"),
            (
                Target("RUST_B"),
                "there is no `obj-$(CONFIG_SAMPLE_RUST_..)`",
            ),
        ] {
            assert_eq!(
                edit.apply("a\nconfig A\ntwice\ntwice\n")
                    .unwrap_err()
                    .to_string(),
                error
            );
        }
    }
}
