// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Edits of `use` trees: one import is removed, or allowed to be unused.

use crate::{remarks, scopes::Import};
use std::ops::Range;
use syn::{punctuated::Punctuated, spanned::Spanned, visit::Visit, File, ItemUse, Token, UseTree};

/// The lint about imports that nothing uses.
const LINT: &str = "unused_imports";

/// A range of a text, and what replaces it.
type Edit = (Range<usize>, String);

/// Removes an import: the whole `use`, or a part of its tree. Comments stay.
pub(crate) fn without(text: &str, file: &File, import: &Import) -> Option<Edit> {
    let item = find(file, &import.item)?;
    let whole = item.span().byte_range();

    let tree = Tree { text, import };
    Some(match tree.without(&item.tree, whole.clone())? {
        Out::Whole(_) => take_out(text, whole),
        Out::Part(edit) => edit,
    })
}

/// Allows an import to be unused, unless it is allowed already.
pub(crate) fn allowed(text: &str, file: &File, import: &Import) -> Option<Edit> {
    let item = find(file, &import.item)?;
    let is_allowed = item.attrs.iter().any(|attr| {
        let mut names_lint = false;
        // An argument that cannot be parsed is not this lint.
        let _ = attr.parse_nested_meta(|lint| {
            names_lint |= lint.path.is_ident(LINT);
            Ok(())
        });
        names_lint && (attr.path().is_ident("allow") || attr.path().is_ident("expect"))
    });
    let start = item.span().byte_range().start;
    let line = &text[text[..start].rfind('\n').map_or(0, |end| end + 1)..start];
    let end = if line.trim().is_empty() {
        format!("\n{line}")
    } else {
        " ".to_owned()
    };

    (!is_allowed).then(|| (start..start, format!("#[allow({LINT})]{end}")))
}

/// The `use` that this range is in.
pub(crate) fn find(file: &File, range: &Range<usize>) -> Option<ItemUse> {
    struct Finder<'a> {
        range: &'a Range<usize>,
        found: Option<ItemUse>,
    }

    impl<'a> Visit<'a> for Finder<'_> {
        fn visit_item_use(&mut self, item: &'a ItemUse) {
            let whole = item.span().byte_range();
            if whole.start <= self.range.start && self.range.end <= whole.end {
                self.found = Some(item.clone());
            }
        }
    }

    let mut finder = Finder { range, found: None };
    finder.visit_file(file);
    finder.found
}

/// The removal of an import.
enum Out {
    /// All text in this range is removed.
    Whole(Range<usize>),
    /// This edit removes a part of the text.
    Part(Edit),
}

/// The tree that an import is in.
struct Tree<'a> {
    text: &'a str,
    import: &'a Import,
}

impl Tree<'_> {
    /// Removes the import from a tree, if the tree has it.
    fn without(&self, tree: &UseTree, whole: Range<usize>) -> Option<Out> {
        match tree {
            UseTree::Path(path) => self.without(&path.tree, whole),
            UseTree::Group(group) => self.group(&group.items, whole),
            leaf => {
                (leaf.span().byte_range() == self.import.path.range).then_some(Out::Whole(whole))
            }
        }
    }

    /// Removes the import from a list, if the list has it.
    fn group(&self, items: &Punctuated<UseTree, Token![,]>, whole: Range<usize>) -> Option<Out> {
        let outs = items.iter().enumerate().find_map(|(at, item)| {
            let out = self.without(item, item.span().byte_range())?;
            Some((at, out))
        });
        let (at, out) = outs?;

        let own = match out {
            Out::Whole(own) if items.len() > 1 => own,
            Out::Whole(_) => return Some(Out::Whole(whole)),
            part @ Out::Part(_) => return Some(part),
        };
        let comma = items.pairs().nth(at)?.punct().map(|comma| comma.span());
        let end = comma.map_or(own.end, |comma| comma.byte_range().end);
        let is_bare = |range: Range<usize>| {
            remarks::of(&self.text[range]).is_some_and(|comments| comments.is_empty())
        };

        let edit = match at.checked_sub(1).and_then(|at| items.iter().nth(at)) {
            // From behind the last one, with the comma, but without the one that may follow.
            Some(last) if at + 1 == items.len() => {
                let last = last.span().byte_range();
                if is_bare(last.end..own.start) {
                    (last.end..own.end, String::new())
                } else if comma.is_some() {
                    take_out(self.text, own.start..end)
                } else {
                    take_out(self.text, own)
                }
            }
            // Up to the next one, with the comma.
            _ => match items
                .iter()
                .nth(at + 1)
                .map(|next| next.span().byte_range())
            {
                Some(next) if is_bare(own.start..next.start) => {
                    (own.start..next.start, String::new())
                }
                _ => take_out(self.text, own.start..end),
            },
        };
        Some(Out::Part(edit))
    }
}

/// Removes something, with its line if there is nothing else on that. Comments in it stay.
fn take_out(text: &str, range: Range<usize>) -> Edit {
    let before = &text[..range.start];
    let line_start = before.trim_end_matches([' ', '\t']).len();
    let is_alone = line_start == 0 || before[..line_start].ends_with('\n');
    let comments = remarks::with_docs(&text[range.clone()]);
    if !comments.is_empty() {
        let indent = if is_alone { &before[line_start..] } else { "" };
        let mut kept = comments.join(&format!("\n{indent}"));
        let rest = text[range.end..].lines().next().unwrap_or_default();
        if kept.lines().last().is_some_and(|line| line.contains("//")) && !rest.trim().is_empty() {
            kept.push_str(&format!("\n{indent}"));
            // The indentation is the space in front of the rest, too.
            let space = rest.len() - rest.trim_start().len();
            return (range.start..range.end + space, kept);
        }
        return (range, kept);
    }

    let after = &text[range.end..];
    let rest = after.trim_start_matches([' ', '\t']);
    let skipped = after.len() - rest.len();
    match rest.strip_prefix('\n') {
        Some(below) if is_alone => {
            // Without an empty line, where there is one above, or nothing.
            let above = &before[..line_start];
            let is_apart = above.is_empty() || above.ends_with("\n\n") || above.ends_with("{\n");
            let is_followed = is_apart && below.starts_with('\n');
            let end = range.end + skipped + 1 + usize::from(is_followed);
            (line_start..end, String::new())
        }
        // The text behind `range` now begins the line.
        _ if is_alone => (range.start..range.end + skipped, String::new()),
        // The text in front of `range` now ends the line.
        Some(_) => (line_start..range.end, String::new()),
        None => (range, String::new()),
    }
}
