// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Hostile changes of a file: an item, a member, a field, a statement or a line has another name, is
//! missing, or is there twice.

use super::{
    super::apply::{start_of_line, with_comments},
    parts::{end_of_line, first_name},
};
use anyhow::Result;
use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use std::ops::Range;
use syn::{
    spanned::Spanned,
    visit::{self, Visit},
    Block, Field, ImplItem, Item, TraitItem,
};

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
    let found = Vec::new();
    let mut targets = Targets { text, found };
    targets.visit_file(&syn::parse_file(text)?);
    Ok(targets.found)
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

/// The targets in a text: items, and their members and fields.
struct Targets<'a> {
    text: &'a str,
    found: Vec<Target>,
}

impl Targets<'_> {
    /// Adds a part with this name, which is a function if it has a block.
    fn add(&mut self, part: &impl Spanned, name: Option<&Ident>, block: Option<&Block>) {
        let (Some(name), Some(lines)) = (name, lines_of(self.text, part)) else {
            return;
        };
        let statement = |statement| {
            let mut idents = Vec::new();
            ends_of_idents(ToTokens::to_token_stream(statement), &mut idents);
            Some(Target {
                name: name.to_string(),
                idents,
                lines: lines_of(self.text, statement)?,
                statements: Vec::new(),
            })
        };
        let statements = block.iter().flat_map(|block| &block.stmts);
        self.found.push(Target {
            name: name.to_string(),
            idents: vec![name.span().byte_range().end],
            lines,
            statements: statements.filter_map(statement).collect(),
        });
    }
}

impl<'ast> Visit<'ast> for Targets<'_> {
    fn visit_item(&mut self, it: &'ast Item) {
        let (name, block) = match it {
            Item::Enum(it) => (Some(&it.ident), None),
            Item::Fn(it) => (Some(&it.sig.ident), Some(&*it.block)),
            // Of another type, it would be another `impl`, which stays.
            Item::Impl(it) => {
                let of_trait = it.trait_.as_ref();
                let of_trait = of_trait.and_then(|(_, path, _)| path.segments.last());
                (of_trait.map(|it| &it.ident), None)
            }
            Item::Mod(it) => (Some(&it.ident), None),
            Item::Struct(it) => (Some(&it.ident), None),
            Item::Trait(it) => (Some(&it.ident), None),
            Item::Use(it) => (first_name(&it.tree), None),
            _ => (None, None),
        };
        self.add(it, name, block);
        if !matches!(it, Item::Mod(_)) {
            visit::visit_item(self, it);
        }
    }

    fn visit_impl_item(&mut self, it: &'ast ImplItem) {
        match it {
            ImplItem::Const(of) => self.add(it, Some(&of.ident), None),
            ImplItem::Fn(of) => self.add(it, Some(&of.sig.ident), Some(&of.block)),
            ImplItem::Type(of) => self.add(it, Some(&of.ident), None),
            _ => (),
        }
    }

    fn visit_trait_item(&mut self, it: &'ast TraitItem) {
        match it {
            TraitItem::Const(of) => self.add(it, Some(&of.ident), None),
            TraitItem::Fn(of) => self.add(it, Some(&of.sig.ident), None),
            TraitItem::Type(of) => self.add(it, Some(&of.ident), None),
            _ => (),
        }
    }

    fn visit_field(&mut self, it: &'ast Field) {
        self.add(it, it.ident.as_ref(), None);
    }

    fn visit_block(&mut self, _: &'ast Block) {}
}

/// The lines of a part with the comments above it, if no other part is in them.
fn lines_of(text: &str, part: &impl Spanned) -> Option<Range<usize>> {
    let range = part.span().byte_range();
    let start = start_of_line(text, range.start);
    let end = end_of_line(text, range.end);
    let [before, behind] = [&text[start..range.start], &text[range.end..end]].map(str::trim);
    let behind = behind.trim_start_matches([',', ';', ' ']);
    let is_alone = before.is_empty() && (behind.is_empty() || behind.starts_with("//"));
    is_alone.then(|| with_comments(text, start)..end)
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
            (Way::Missing, "        g(a);\n\n    }\n"),
            (
                Way::Twice,
                "        h();\n        // A comment.\n        h();\n",
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
