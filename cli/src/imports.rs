// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Imports of the attribute, which nobody needs once the items are expanded.

use crate::{
    elsewhere,
    find::{
        Annotated,
        ATTRIBUTE, //
    },
    remarks,
    scopes::{
        Import,
        Reach,
        Scopes,
        Target, //
    },
    source::Source,
};
use std::{
    collections::BTreeSet,
    ops::Range, //
};
use syn::{
    punctuated::Punctuated,
    spanned::Spanned,
    visit::{
        self,
        Visit, //
    },
    File,
    ItemUse,
    Token,
    UseTree, //
};

/// The lint about what nobody needs.
const LINT: &str = "unused_imports";

/// An edit that takes one import of the attribute out of a file, if nothing needs it when the items
/// in `expanded` are; [`None`] if there is no such import any more.
///
/// What others may import from elsewhere stays, and so does what the attribute was found through. If
/// nobody in the file uses it any more, it is allowed to be of no use.
pub(crate) fn edit(
    source: &Source,
    file: &File,
    expanded: &[&Annotated],
) -> Option<(Range<usize>, String)> {
    let mut scopes = Scopes::of(file);
    for (scope, inside, module) in scopes.files.clone() {
        if elsewhere::uses_attribute(&source.path, &inside, &module) {
            scopes.open(scope);
        }
    }
    let (mut used, mut was_used) = (BTreeSet::new(), BTreeSet::new());
    for mention in &scopes.mentions {
        let is_expanded = expanded.iter().any(|item| item.attr_path == mention.range);
        let used = if is_expanded {
            &mut was_used
        } else {
            &mut used
        };
        scopes.add_used_by(mention, used);
    }
    let removable = |import: usize| {
        is_of_attribute(&scopes, import, &was_used) && scopes.imports[import].reach == Reach::Module
    };
    for import in 0..scopes.imports.len() {
        if !removable(import) {
            scopes.add_used_by(&scopes.imports[import].path, &mut used);
        }
    }
    if !scopes.is_complete() {
        return None;
    }

    // Those that others lead to go first, as without those nobody could tell what they were for.
    let is_unused = |import: &usize| {
        !used.contains(import) && (removable(*import) || is_left(&scopes, *import, &was_used))
    };
    let mut unused: Vec<_> = (0..scopes.imports.len()).filter(is_unused).collect();
    unused.sort_by_cached_key(|&import| {
        let mut leads_to = BTreeSet::new();
        scopes.add_used_by(&scopes.imports[import].path, &mut leads_to);
        (removable(import), leads_to.len())
    });
    unused.into_iter().find_map(|import| {
        let mut finder = Finder {
            text: &source.text,
            import: &scopes.imports[import],
            edit: None,
            is_needed: !removable(import),
        };
        finder.visit_file(file);
        finder.edit
    })
}

/// Whether this imports the attribute by its name, and nothing else.
fn is_of_attribute(scopes: &Scopes, import: usize, was_used: &BTreeSet<usize>) -> bool {
    let was_used = was_used.contains(&import);
    let import = &scopes.imports[import];

    match (&import.name, scopes.target(&import.path)) {
        (Some(name), Target::Attribute) => name == ATTRIBUTE && !is_renamed(import),
        // Of what is not in the file only the name is known. The macro has been found by it.
        (Some(name), Target::Named) => name == ATTRIBUTE && was_used && !is_renamed(import),
        (None, Target::Module(module)) => was_used && scopes.has_only_the_attribute(module),
        _ => false,
    }
}

/// Whether this was used for the attribute, and rustc would warn if nobody used it.
fn is_left(scopes: &Scopes, import: usize, was_used: &BTreeSet<usize>) -> bool {
    // What else `*` is used for cannot be told, nor what else has the attribute's name.
    let name = scopes.imports[import].name.as_deref();
    let is_known =
        name.is_some_and(|name| name != ATTRIBUTE) || is_of_attribute(scopes, import, was_used);

    is_known && was_used.contains(&import) && scopes.imports[import].reach != Reach::Everywhere
}

/// Whether an import gives the attribute another name, or another thing this one.
fn is_renamed(import: &Import) -> bool {
    import.path.is_module || import.path.segments.last() != import.name.as_ref()
}

/// Makes the edit that takes an import out.
struct Finder<'a> {
    text: &'a str,
    import: &'a Import,
    /// Whether it stays, and is only allowed to.
    is_needed: bool,
    edit: Option<(Range<usize>, String)>,
}

impl<'a> Visit<'a> for Finder<'_> {
    fn visit_item_use(&mut self, item: &'a ItemUse) {
        let range = item.span().byte_range();
        if range != self.import.item {
            return;
        }

        if self.is_needed {
            self.edit = self.allow(item, range);
        } else {
            let out = self.tree(&item.tree, range.clone());
            self.edit = out.map(|out| match out {
                Out::Whole(_) => take_out(self.text, range),
                Out::Part(edit) => edit,
            });
        }
    }

    fn visit_file(&mut self, file: &'a File) {
        visit::visit_file(self, file);
    }
}

/// What has to go with an import.
enum Out {
    /// All of this.
    Whole(Range<usize>),
    /// A part of it.
    Part((Range<usize>, String)),
}

impl Finder<'_> {
    /// Takes the import out of a tree, if it is in there.
    fn tree(&self, tree: &UseTree, whole: Range<usize>) -> Option<Out> {
        match tree {
            UseTree::Path(path) => self.tree(&path.tree, whole),
            UseTree::Group(group) => self.group(&group.items, whole),
            leaf => {
                (leaf.span().byte_range() == self.import.path.range).then_some(Out::Whole(whole))
            }
        }
    }

    /// Takes the import out of a list, if it is in there.
    fn group(&self, items: &Punctuated<UseTree, Token![,]>, whole: Range<usize>) -> Option<Out> {
        let outs = items.iter().enumerate().find_map(|(at, item)| {
            let out = self.tree(item, item.span().byte_range())?;
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

    /// Says that nobody needs to use the import, unless that is said already.
    fn allow(&self, item: &ItemUse, range: Range<usize>) -> Option<(Range<usize>, String)> {
        let is_allowed = item.attrs.iter().any(|attr| {
            let mut is_allowed = false;
            // What else may stand there is not about this lint.
            let _ = attr.parse_nested_meta(|lint| {
                is_allowed |= lint.path.is_ident(LINT);
                Ok(())
            });
            is_allowed && (attr.path().is_ident("allow") || attr.path().is_ident("expect"))
        });
        let before = &self.text[..range.start];
        let line = &before[before.rfind('\n').map_or(0, |at| at + 1)..];
        let end = if line.trim().is_empty() {
            format!("\n{line}")
        } else {
            " ".to_owned()
        };

        (!is_allowed).then(|| (range.start..range.start, format!("#[allow({LINT})]{end}")))
    }
}

/// Takes something out, with its line if there is nothing else on that. Comments in it stay.
fn take_out(text: &str, range: Range<usize>) -> (Range<usize>, String) {
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
        // What follows on the line begins it now.
        _ if is_alone => (range.start..range.end + skipped, String::new()),
        // What stands in front of it ends the line now.
        Some(_) => (line_start..range.end, String::new()),
        None => (range, String::new()),
    }
}
