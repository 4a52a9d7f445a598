// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Imports, in the kernel's style: one a line, and `//` behind the last of a list, which keeps
//! rustfmt from joining them.

use super::source::Source;
use anyhow::{bail, ensure, Context, Result};
use syn::{ItemUse, UseGroup, UseTree};

/// An import that was edited.
pub(crate) struct Imports(ItemUse);

impl Imports {
    pub(crate) fn new(item: &ItemUse) -> Self {
        Self(item.clone())
    }

    /// Removes a name. It has to be there.
    pub(crate) fn remove(&mut self, name: &str) -> Result<()> {
        ensure!(
            remove(&mut self.0.tree, name),
            "`{name}` is not imported where it is expected"
        );
        Ok(())
    }

    /// Adds a name to the outermost list, in order.
    pub(crate) fn add(&mut self, name: &str) -> Result<()> {
        add(&mut self.0.tree, name)
    }

    /// Adds a name to the list of a module that is in the outermost list, in order.
    pub(crate) fn add_below(&mut self, module: &str, name: &str) -> Result<()> {
        let tree = list(&mut self.0.tree)?
            .items
            .iter_mut()
            .find(|item| first(item) == module)
            .with_context(|| format!("nothing is imported from `{module}`"))?;
        add(tree, name)
    }

    /// The import as text, without a newline at its end.
    pub(crate) fn print(&self) -> String {
        let mut text = "use ".to_owned();
        print(&self.0.tree, 0, &mut text);
        text.push(';');
        text
    }
}

/// Edits the imports from each crate, by its name.
pub(crate) fn edit(source: &Source, edit: impl Fn(&str, &mut Imports) -> Result<()>) -> Result<()> {
    for item in source.imports() {
        if let UseTree::Path(path) = &item.tree {
            let mut imports = Imports::new(item);
            let before = imports.print();
            edit(&path.ident.to_string(), &mut imports)?;
            let after = imports.print();
            if after != before {
                source.replace(source.range(item), after);
            }
        }
    }
    Ok(())
}

/// The list of a tree that is a path and a list.
fn list(tree: &mut UseTree) -> Result<&mut UseGroup> {
    if let UseTree::Path(path) = tree {
        if let UseTree::Group(group) = &mut *path.tree {
            return Ok(group);
        }
    }
    bail!("the import is not of the form `use path::{{..}};`")
}

/// Adds a name to the list of a tree, in order.
fn add(tree: &mut UseTree, name: &str) -> Result<()> {
    let group = list(tree)?;
    let at = group
        .items
        .iter()
        .position(|item| first(item).as_str() > name)
        .unwrap_or(group.items.len());
    group.items.insert(at, syn::parse_str(name)?);
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

/// Whether a tree imports nothing but this name.
fn is(tree: &UseTree, name: &str) -> bool {
    match tree {
        UseTree::Path(path) => is(&path.tree, name),
        UseTree::Name(item) => item.ident == name,
        _ => false,
    }
}

/// Removes a name from below `tree`, with the path to it if that leads to nothing else.
fn remove(tree: &mut UseTree, name: &str) -> bool {
    match tree {
        UseTree::Path(path) => remove(&mut path.tree, name),
        UseTree::Group(group) => {
            let before = group.items.len();
            let items = std::mem::take(&mut group.items);
            group.items = items.into_iter().filter(|item| !is(item, name)).collect();

            group.items.len() < before || group.items.iter_mut().any(|item| remove(item, name))
        }
        _ => false,
    }
}

fn print(tree: &UseTree, depth: usize, text: &mut String) {
    match tree {
        UseTree::Path(path) => {
            text.push_str(&format!("{}::", path.ident));
            print(&path.tree, depth, text);
        }
        UseTree::Name(name) => text.push_str(&name.ident.to_string()),
        UseTree::Rename(rename) => {
            text.push_str(&format!("{} as {}", rename.ident, rename.rename));
        }
        UseTree::Glob(_) => text.push('*'),
        UseTree::Group(group) if group.items.len() == 1 => print(&group.items[0], depth, text),
        UseTree::Group(group) => {
            text.push_str("{\n");
            for (index, item) in group.items.iter().enumerate() {
                text.push_str(&"    ".repeat(depth + 1));
                print(item, depth + 1, text);
                let is_last = index + 1 == group.items.len();
                let is_list = matches!(item, UseTree::Path(path) if ends_in_list(&path.tree));
                // Behind a list, the list has its own.
                text.push_str(if is_last && !is_list { ", //\n" } else { ",\n" });
            }
            text.push_str(&"    ".repeat(depth));
            text.push('}');
        }
    }
}

/// Whether a tree is printed as several lines.
fn ends_in_list(tree: &UseTree) -> bool {
    match tree {
        UseTree::Path(path) => ends_in_list(&path.tree),
        UseTree::Group(group) => group.items.len() > 1,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(text: &str) -> Imports {
        Imports::new(&syn::parse_str(text).unwrap())
    }

    #[test]
    fn names_come_and_go() {
        let mut imports = imports("use crate::{a, c::{self, X, Y}, sync::{z::Z, M, N}, types::F};");
        imports.remove("M").unwrap();
        imports.remove("N").unwrap();
        imports.remove("F").unwrap();
        imports.add("b").unwrap();
        assert!(imports.remove("Q").is_err());
        assert_eq!(
            imports.print(),
            "use crate::{\n    a,\n    b,\n    c::{\n        self,\n        X,\n        Y, //\n    },\n    \
             sync::z::Z, //\n};"
        );
    }

    #[test]
    fn names_come_below_a_module() {
        let mut imports = imports("use crate::{a, c::{d, f}};");
        imports.add_below("c", "e").unwrap();
        for module in ["a", "b"] {
            assert!(imports.add_below(module, "e").is_err(), "{module}");
        }
        assert_eq!(
            imports.print(),
            "use crate::{\n    a,\n    c::{\n        d,\n        e,\n        f, //\n    },\n\
             };"
        );
    }
}
