// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Hostile changes of a file: an item, a member, a field, a statement or a line has another name, is
//! missing, or is there twice.

use super::{
    super::apply::start_of_line,
    parts::{chunks, end_of_line},
};
use anyhow::Result;
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use std::ops::Range;
use syn::{spanned::Spanned, Block, Fields, ImplItem, Item, TraitItem, UseTree};

/// The suffix of a changed name.
const SUFFIX: &str = "_shaken";

/// The way in which a target is changed.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Way {
    Renamed,
    Missing,
    Twice,
}

const WAYS: [Way; 3] = [Way::Renamed, Way::Missing, Way::Twice];

impl Way {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Renamed => "renamed",
            Self::Missing => "missing",
            Self::Twice => "twice",
        }
    }
}

/// A part of a file that is changed.
pub(super) struct Target {
    /// The name, which an error has to mention.
    pub(super) name: String,
    /// The ends of what is renamed.
    idents: Vec<usize>,
    /// The lines.
    lines: Range<usize>,
    /// The statements, if it is a function.
    statements: Vec<Target>,
}

impl Target {
    /// All changes of it, the new name first, and then those of its statements.
    pub(super) fn changes(&self) -> impl Iterator<Item = (&Self, Way)> {
        let all = [self].into_iter().chain(&self.statements);
        all.flat_map(|target| WAYS.map(|way| (target, way)))
    }

    /// A file with the target changed.
    pub(super) fn change(&self, text: &str, way: Way) -> String {
        let mut new = text.to_owned();
        match way {
            Way::Renamed => {
                for at in self.idents.iter().rev() {
                    new.insert_str(*at, SUFFIX);
                }
            }
            Way::Missing => new.replace_range(self.lines.clone(), ""),
            Way::Twice => new.insert_str(self.lines.end, &text[self.lines.clone()]),
        }
        new
    }

    /// Whether the edits of the changed file are those of the file as it is: `edited` is the former
    /// with the edits, `expected` the latter.
    pub(super) fn has_same_edits(
        &self,
        text: &str,
        way: Way,
        edited: &str,
        expected: &str,
    ) -> bool {
        // The target may be in a part that the edits take out.
        if edited.replace(SUFFIX, "") == expected {
            return true;
        }
        // An edit may take the empty line behind it, which stands elsewhere without the target.
        let bare = |text: &str| -> String {
            let lines = text.split_inclusive('\n');
            lines.filter(|line| !line.trim().is_empty()).collect()
        };
        let [once, edited, expected] = [&text[self.lines.clone()], edited, expected].map(bare);
        let (longer, shorter) = match way {
            Way::Renamed => return false,
            Way::Missing => (expected, edited),
            Way::Twice => (edited, expected),
        };
        let mut places = longer.match_indices(&once);
        places.any(|(at, _)| [&longer[..at], &longer[at + once.len()..]].concat() == shorter)
    }
}

/// All targets in a file.
pub(super) fn targets(path: &str, text: &str) -> Result<Vec<Target>> {
    if !path.ends_with(".rs") {
        return Ok(lines(text));
    }
    let mut targets = Vec::new();
    let file = syn::parse_file(text)?;
    let chunks = chunks(text, 0, file.items.iter().map(Spanned::span));
    for (item, mut lines) in file.items.iter().zip(chunks) {
        // The documentation of the file stands above its first item, and nowhere else.
        if lines.start == 0 {
            lines.start = start_of_line(text, item.span().byte_range().start);
        }
        of_item(text, item, lines, &mut targets);
    }
    Ok(targets)
}

/// Each line that is not empty, of a file that is not Rust.
fn lines(text: &str) -> Vec<Target> {
    let mut start = 0;
    let mut targets = Vec::new();
    for line in text.split_inclusive('\n') {
        let lines = start..start + line.len();
        start = lines.end;
        // The long texts of options are not looked for.
        if line.trim().is_empty() || line.starts_with("\t  ") {
            continue;
        }
        targets.push(Target {
            name: line.trim().to_owned(),
            idents: vec![lines.start + line.trim_end().len()],
            lines,
            statements: Vec::new(),
        });
    }
    targets
}

fn target(ident: &Ident, lines: Range<usize>) -> Target {
    Target {
        name: ident.to_string(),
        idents: vec![ident.span().byte_range().end],
        lines,
        statements: Vec::new(),
    }
}

/// Adds an item, and its members.
fn of_item(text: &str, item: &Item, lines: Range<usize>, targets: &mut Vec<Target>) {
    let members = |open: Span, spans: Vec<Span>| {
        let start = end_of_line(text, open.byte_range().end);
        chunks(text, start, spans.into_iter())
    };
    match item {
        Item::Fn(it) => targets.push(Target {
            statements: statements(text, &it.sig.ident, &it.block),
            ..target(&it.sig.ident, lines)
        }),
        Item::Enum(it) => targets.push(target(&it.ident, lines)),
        Item::Mod(it) => targets.push(target(&it.ident, lines)),
        Item::Use(it) => match &it.tree {
            UseTree::Path(it) => targets.push(target(&it.ident, lines)),
            UseTree::Name(it) => targets.push(target(&it.ident, lines)),
            _ => (),
        },
        Item::Struct(it) => {
            targets.push(target(&it.ident, lines));
            if let Fields::Named(fields) = &it.fields {
                let spans = fields.named.iter().map(Spanned::span).collect();
                let chunks = members(fields.brace_token.span.open(), spans);
                for (field, lines) in fields.named.iter().zip(chunks) {
                    targets.extend(field.ident.iter().map(|it| target(it, lines.clone())));
                }
            }
        }
        Item::Trait(it) => {
            targets.push(target(&it.ident, lines));
            let spans = it.items.iter().map(Spanned::span).collect();
            let chunks = members(it.brace_token.span.open(), spans);
            for (member, lines) in it.items.iter().zip(chunks) {
                match member {
                    TraitItem::Const(it) => targets.push(target(&it.ident, lines)),
                    TraitItem::Fn(it) => targets.push(target(&it.sig.ident, lines)),
                    TraitItem::Type(it) => targets.push(target(&it.ident, lines)),
                    _ => (),
                }
            }
        }
        Item::Impl(it) => {
            let of_trait = it
                .trait_
                .as_ref()
                .and_then(|(_, path, _)| path.segments.last());
            // Of another type, it would be another `impl`, which stays.
            targets.extend(of_trait.map(|it| target(&it.ident, lines.clone())));
            let spans = it.items.iter().map(Spanned::span).collect();
            let chunks = members(it.brace_token.span.open(), spans);
            for (member, lines) in it.items.iter().zip(chunks) {
                match member {
                    ImplItem::Const(it) => targets.push(target(&it.ident, lines)),
                    ImplItem::Type(it) => targets.push(target(&it.ident, lines)),
                    ImplItem::Fn(it) => targets.push(Target {
                        statements: statements(text, &it.sig.ident, &it.block),
                        ..target(&it.sig.ident, lines)
                    }),
                    _ => (),
                }
            }
        }
        _ => (),
    }
}

/// The statements of a function, all of whose names change.
fn statements(text: &str, function: &Ident, block: &Block) -> Vec<Target> {
    let start = end_of_line(text, block.brace_token.span.open().byte_range().end);
    let chunks = chunks(text, start, block.stmts.iter().map(Spanned::span));
    let mut targets = Vec::new();
    for (statement, lines) in block.stmts.iter().zip(chunks) {
        let close = start_of_line(text, block.brace_token.span.close().byte_range().start);
        if lines.is_empty() || lines.end > close {
            continue;
        }
        let mut idents = Vec::new();
        ends_of_idents(statement.to_token_stream(), &mut idents);
        targets.push(Target {
            name: function.to_string(),
            idents,
            lines,
            statements: Vec::new(),
        });
    }
    targets
}

/// Where the identifiers end that are no keywords.
fn ends_of_idents(tokens: TokenStream, ends: &mut Vec<usize>) {
    for token in tokens {
        match token {
            TokenTree::Ident(it) if syn::parse_str::<Ident>(&it.to_string()).is_ok() => {
                ends.push(it.span().byte_range().end);
            }
            TokenTree::Group(it) => ends_of_idents(it.stream(), ends),
            _ => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
use a::b;

// One.
struct One {
    a: u32,
}

impl Two for One {
    fn f() {
        g(a);

        // A comment.
        h();
    }
}
";

    #[test]
    fn all_that_has_a_name_is_a_target() {
        let targets = targets("a.rs", TEXT).unwrap();
        let names: Vec<_> = targets.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["a", "One", "a", "Two", "f"]);
        assert_eq!(targets[4].statements.len(), 2);

        for target in targets.iter().chain(&targets[4].statements) {
            for way in WAYS {
                let changed = target.change(TEXT, way);
                assert_ne!(changed, TEXT, "{}", target.name);
                syn::parse_file(&changed).unwrap();
            }
        }
        let statement = &targets[4].statements[1];
        for (way, expected) in [
            (Way::Renamed, "        h_shaken();\n"),
            (Way::Missing, "        g(a);\n    }\n"),
            (
                Way::Twice,
                "        h();\n\n        // A comment.\n        h();\n",
            ),
        ] {
            let changed = statement.change(TEXT, way);
            assert!(changed.contains(expected), "{changed}");
        }
    }

    #[test]
    fn edits_of_a_changed_file_are_compared() {
        let targets = targets("a.rs", TEXT).unwrap();
        let (edited, target) = (format!("{TEXT}fn new() {{}}\n"), &targets[1]);
        for way in WAYS {
            let changed = target.change(TEXT, way);
            let same = |text: &str| target.has_same_edits(TEXT, way, text, &edited);
            assert!(same(&format!("{changed}fn new() {{}}\n")));
            // No edit, or one in another place.
            assert!(!same(&changed));
            assert!(!same(&format!("fn new() {{}}\n{changed}")));
        }
    }
}
