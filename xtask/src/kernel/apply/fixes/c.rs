// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A C file that is edited by item, as `source` does for Rust. An item is found by its name, and
//! ends with a brace at the start of a line, in the kernel's style.

use super::super::source::{only, start_of_line};
use anyhow::{anyhow, Context, Result};
use std::ops::Range;

/// The lines of a function, without the comment above it.
pub(super) fn function(text: &str, name: &str) -> Result<Range<usize>> {
    let call = format!("{name}(");
    text.match_indices(&call)
        .map(|(at, _)| start_of_line(text, at))
        .find(|&start| {
            let head = text[start..].split('{').next().unwrap_or_default();
            let is_item = !text[start..].starts_with([' ', '\t', '*', '/']);
            is_item && head.ends_with(")\n") && !head.contains(';')
        })
        .and_then(|start| Some(start..end(text, start, "\n}\n")?))
        .with_context(|| format!("there is no function `{name}()`"))
}

/// The lines of a structure.
pub(super) fn structure(text: &str, name: &str) -> Result<Range<usize>> {
    text.find(&format!("\nstruct {name} {{\n"))
        .and_then(|at| Some(at + 1..end(text, at + 1, "\n};\n")?))
        .with_context(|| format!("there is no `struct {name}`"))
}

fn end(text: &str, start: usize, brace: &str) -> Option<usize> {
    Some(start + text[start..].find(brace)? + brace.len())
}

/// The place of a text that has to occur once.
pub(super) fn once(text: &str, wanted: &str) -> Result<usize> {
    let found = text.match_indices(wanted).map(|(at, _)| at);
    only(found).map_err(|count| match count {
        0 => anyhow!("there is no `{}`", wanted.trim()),
        _ => anyhow!("there is more than one `{}`", wanted.trim()),
    })
}

/// Replaces a text that has to occur once.
pub(super) fn replace(text: &str, old: &str, new: &str) -> Result<String> {
    once(text, old)?;
    Ok(text.replacen(old, new, 1))
}

/// Edits an item.
pub(super) fn edit(
    text: &str,
    item: Range<usize>,
    edit: impl FnOnce(&str) -> Result<String>,
) -> Result<String> {
    let new = edit(&text[item.clone()])?;
    Ok([&text[..item.start], &new, &text[item.end..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
struct node {
	int a;
};

static int f(int a);

/* Calls f(a) { } */
static int g(int a,
	     int b)
{
	return f(a);
}

int f(int a)
{
	g(a, a);
}
";

    #[test]
    fn items_are_found_by_name() {
        let f = function(TEXT, "f").unwrap();
        assert_eq!(&TEXT[f], "int f(int a)\n{\n\tg(a, a);\n}\n");
        let g = &TEXT[function(TEXT, "g").unwrap()];
        assert!(g.starts_with("static int g(") && g.ends_with("\treturn f(a);\n}\n"));
        let text = format!("\n{TEXT}");
        assert_eq!(
            &text[structure(&text, "node").unwrap()],
            "struct node {\n\tint a;\n};\n"
        );
        assert!(function(TEXT, "h").is_err() && structure(TEXT, "f").is_err());
    }

    #[test]
    fn what_is_replaced_is_there_once() {
        assert_eq!(replace("a b", "a", "c").unwrap(), "c b");
        for (text, error) in [
            ("b", "there is no `a`"),
            ("a a", "there is more than one `a`"),
        ] {
            assert_eq!(replace(text, "a", "c").unwrap_err().to_string(), error);
        }
    }
}
