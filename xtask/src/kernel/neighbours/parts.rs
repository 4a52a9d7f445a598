// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The parts of a file, to compare two versions of it item by item. Comments between two parts
//! belong to the part behind them.

use anyhow::Result;
use proc_macro2::Span;
use quote::ToTokens;
use std::ops::Range;
use syn::{spanned::Spanned, Ident, Item, UseTree};

/// The parts of a file. Empty lines between parts do not matter.
pub(super) fn of(path: &str, text: &str) -> Result<Vec<String>> {
    if !path.ends_with(".rs") {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        return Ok(lines.map(str::to_owned).collect());
    }

    let mut parts = Vec::new();
    let file = syn::parse_file(text)?;
    let chunks = chunks(text, 0, file.items.iter().map(Spanned::span));
    for (item, chunk) in file.items.iter().zip(&chunks) {
        match item {
            Item::Use(it) => {
                let above = &text[chunk.start..it.tree.span().byte_range().start];
                let mut names = Vec::new();
                leaves(&it.tree, "", &mut names);
                names.sort();
                parts.push(format!("{} {}", above.trim(), names.join(", ")));
            }
            Item::Impl(it) if !it.items.is_empty() => {
                let start = it.brace_token.span.open().byte_range().end;
                let of = match &it.trait_ {
                    Some((_, path, _)) => path.to_token_stream().to_string(),
                    None => String::new(),
                } + &it.self_ty.to_token_stream().to_string();
                parts.push(text[chunk.start..start].trim().to_owned());
                let members = self::chunks(text, start, it.items.iter().map(Spanned::span));
                let members = members.iter().map(|it| text[it.clone()].trim());
                parts.extend(members.map(|member| format!("{of}: {member}")));
            }
            _ => parts.push(text[chunk.clone()].trim().to_owned()),
        }
    }
    let end = chunks.last().map_or(0, |chunk| chunk.end);
    parts.push(text[end..].trim().to_owned());
    Ok(parts)
}

/// Divides the text behind `start`: each chunk ends with the line that its part ends in.
pub(super) fn chunks(
    text: &str,
    start: usize,
    spans: impl Iterator<Item = Span>,
) -> Vec<Range<usize>> {
    let mut start = start;
    let chunk = |span: Span| {
        let end = end_of_line(text, span.byte_range().end).max(start);
        std::mem::replace(&mut start, end)..end
    };
    spans.map(chunk).collect()
}

/// The begin of the next line.
pub(super) fn end_of_line(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |end| at + end + 1)
}

/// The first name of what a tree imports.
pub(super) fn first_name(tree: &UseTree) -> Option<&Ident> {
    match tree {
        UseTree::Path(it) => Some(&it.ident),
        UseTree::Name(it) => Some(&it.ident),
        _ => None,
    }
}

/// Adds all that a tree imports, each with its path.
fn leaves(tree: &UseTree, path: &str, names: &mut Vec<String>) {
    match tree {
        UseTree::Path(it) => leaves(&it.tree, &format!("{path}{}::", it.ident), names),
        UseTree::Group(it) => it.items.iter().for_each(|it| leaves(it, path, names)),
        _ => names.push(format!("{path}{}", tree.to_token_stream())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_compared() {
        let text = "use a::{b, c};\n\n// One.\nfn one() {}\n\nimpl A {\n    // F.\n    fn f() {}\n\n    fn g() {}\n}\n";
        let parts = |text: &str, sorted: bool| {
            let mut parts = of("a.rs", text).unwrap();
            if sorted {
                parts.sort();
            }
            parts
        };
        let same = |other: &str| parts(text, true) == parts(other, true);
        let moved = "use a::{\n    c,\n    b, //\n};\n\nimpl A {\n    fn g() {}\n\n    // F.\n    fn f() {}\n}\n\n// One.\nfn one() {}\n";
        assert!(same(moved) && parts(text, false) != parts(moved, false));
        for (from, to) in [
            ("// F.", "// G."),
            ("b, c", "b, d"),
            ("fn g() {}", "fn g() { h() }"),
        ] {
            assert!(!same(&text.replace(from, to)), "{from}");
        }
        assert_eq!(of("a.c", "a\n\nb\n").unwrap(), ["a", "b"]);
    }
}
