// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Imports, in the kernel's style: one a line, and `//` behind the last of a list, which keeps
//! rustfmt from joining them.

use super::source::Source;
use anyhow::{bail, ensure, Result};
use syn::{ItemUse, UseGroup, UseTree};

/// Edits what a file imports from a crate. Names that are removed have to be there. A list that is
/// added goes into the list of the same module, if there is one.
pub(super) fn edit(source: &mut Source, root: &str, add: &[&str], remove: &[&str]) -> Result<()> {
    let range = source.range(&format!("use {root}"))?;
    let mut item: ItemUse = syn::parse_str(&source.text()[range.clone()])?;
    for name in remove {
        ensure!(
            take(&mut item.tree, name),
            "`{name}` is not imported where it is expected"
        );
    }
    for name in add {
        put(&mut item.tree, syn::parse_str(name)?)?;
    }
    source.replace(range, &format!("use {};", print(&item.tree, 0)))
}

/// The list of a tree that is a path and a list.
fn list(tree: &mut UseTree) -> Option<&mut UseGroup> {
    match tree {
        UseTree::Path(path) => match &mut *path.tree {
            UseTree::Group(group) => Some(group),
            _ => None,
        },
        _ => None,
    }
}

/// Adds a name or a list to the list of a tree, in order.
fn put(tree: &mut UseTree, mut new: UseTree) -> Result<()> {
    let Some(group) = list(tree) else {
        bail!("the import is not of the form `use path::{{..}};`");
    };
    let name = first(&new);
    if let Some(new) = list(&mut new) {
        for theirs in &mut group.items {
            if first(theirs) == name && list(theirs).is_some() {
                return new.items.iter().try_for_each(|it| put(theirs, it.clone()));
            }
        }
    }

    let mut theirs = group.items.iter();
    let at = theirs.position(|item| first(item) > name);
    group.items.insert(at.unwrap_or(group.items.len()), new);
    Ok(())
}

/// The name that a tree begins with.
fn first(tree: &UseTree) -> String {
    match tree {
        UseTree::Path(path) => path.ident.to_string(),
        UseTree::Name(name) => name.ident.to_string(),
        UseTree::Rename(rename) => rename.ident.to_string(),
        UseTree::Glob(_) | UseTree::Group(_) => String::new(),
    }
}

/// Removes a name from below a tree, with the path to it if that leads to nothing else. Returns
/// whether it was there.
fn take(tree: &mut UseTree, name: &str) -> bool {
    match tree {
        UseTree::Path(path) => take(&mut path.tree, name),
        UseTree::Group(group) => {
            let before = group.items.len();
            let items = std::mem::take(&mut group.items);
            group.items = items.into_iter().filter(|item| !is(item, name)).collect();

            group.items.len() < before || group.items.iter_mut().any(|item| take(item, name))
        }
        _ => false,
    }
}

/// Whether a tree imports nothing but this name.
fn is(tree: &UseTree, name: &str) -> bool {
    match tree {
        UseTree::Path(path) => is(&path.tree, name),
        UseTree::Name(item) => item.ident == name,
        _ => false,
    }
}

fn print(tree: &UseTree, depth: usize) -> String {
    let group = match tree {
        UseTree::Path(path) => return format!("{}::{}", path.ident, print(&path.tree, depth)),
        UseTree::Name(name) => return name.ident.to_string(),
        UseTree::Rename(rename) => return format!("{} as {}", rename.ident, rename.rename),
        UseTree::Glob(_) => return "*".to_owned(),
        UseTree::Group(group) if group.items.len() == 1 => return print(&group.items[0], depth),
        UseTree::Group(group) => group,
    };

    let indent = "    ".repeat(depth);
    let items = group.items.iter().map(|item| print(item, depth + 1));
    let lines: String = items.map(|item| format!("{indent}    {item},\n")).collect();
    // Behind a list, the list has its own.
    let lines = match lines.strip_suffix("},\n") {
        Some(_) => lines,
        None => lines.trim_end().to_owned() + " //\n",
    };
    format!("{{\n{lines}{indent}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_and_go() {
        let before = "use crate::{a, c::{self, x, z}, sync::{z::Z, M, N}, types::F};\n";
        for (add, remove, expected) in [
            (
                &["b", "c::{y}", "d::{e, f}"][..],
                &["M", "N", "F"][..],
                "    a,\n    b,\n    c::{\n        self,\n        x,\n        y,\n        z, //\n    },\n    \
                 d::{\n        e,\n        f, //\n    },\n    sync::z::Z, //\n};\n",
            ),
            (
                // Not a list: it stands by itself.
                &["sync::O"],
                &["a", "x", "z", "F"],
                "    c::self,\n    sync::{\n        z::Z,\n        M,\n        N, //\n    },\n    \
                 sync::O, //\n};\n",
            ),
            (&[], &["Q"], "`Q` is not imported where it is expected"),
        ] {
            let mut source = Source::parse(before).unwrap();
            let text = match edit(&mut source, "crate", add, remove) {
                Ok(()) => source.text().to_owned(),
                Err(error) => error.to_string(),
            };
            assert_eq!(text.strip_prefix("use crate::{\n").unwrap_or(&text), expected);
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["use crate::a;", "use core::{a, b};"] {
            let mut source = Source::parse(text).unwrap();
            assert!(edit(&mut source, "crate", &["b"], &[]).is_err(), "{text}");
        }
    }
}
