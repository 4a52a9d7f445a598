// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Imports of the attribute, which no code needs once the items are expanded.

use crate::{
    elsewhere,
    find::{Annotated, ATTRIBUTE},
    scopes::{Import, Reach, Scopes, Target},
    source::Source,
    trees,
};
use std::{collections::BTreeSet, ops::Range};
use syn::File;

/// An edit that removes one import of the attribute that nothing uses once the items in `expanded`
/// are expanded; [`None`] if the file has no such import any more.
///
/// An import that other modules may use stays, and so does one that led to the attribute. If
/// nothing in the file uses such an import any more, the edit puts `#[allow(unused_imports)]` on
/// it.
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

    // An import that another one leads to goes first: its use can be told while that is there.
    let is_unused = |import: &usize| {
        !used.contains(import) && (removable(*import) || is_left(&scopes, *import, &was_used))
    };
    let mut unused: Vec<_> = (0..scopes.imports.len()).filter(is_unused).collect();
    unused.sort_by_cached_key(|&import| {
        let mut leads_to = BTreeSet::new();
        scopes.add_used_by(&scopes.imports[import].path, &mut leads_to);
        (removable(import), leads_to.len())
    });
    unused.into_iter().find_map(|number| {
        let import = &scopes.imports[number];
        if removable(number) {
            trees::without(&source.text, file, import)
        } else {
            trees::allowed(&source.text, file, import)
        }
    })
}

/// Whether this imports the attribute by its name, and nothing else.
fn is_of_attribute(scopes: &Scopes, import: usize, was_used: &BTreeSet<usize>) -> bool {
    let was_used = was_used.contains(&import);
    let import = &scopes.imports[import];

    match (&import.name, scopes.target(&import.path)) {
        (Some(name), Target::Attribute) => name == ATTRIBUTE && !is_renamed(import),
        // Only the name is known of an item outside the file. The macro has been found by its name.
        (Some(name), Target::Named) => name == ATTRIBUTE && was_used && !is_renamed(import),
        (None, Target::Module(module)) => was_used && scopes.has_only_the_attribute(module),
        _ => false,
    }
}

/// Whether this led to the attribute, and rustc would warn if nothing used it.
fn is_left(scopes: &Scopes, import: usize, was_used: &BTreeSet<usize>) -> bool {
    // The file does not show other uses of `*` or of an item with the attribute's name, nor the
    // uses in other files.
    let name = scopes.imports[import].name.as_deref();
    let is_of_this_file = scopes.files.is_empty() && name.is_some_and(|name| name != ATTRIBUTE);
    let is_known = is_of_this_file || is_of_attribute(scopes, import, was_used);

    is_known && was_used.contains(&import) && scopes.imports[import].reach != Reach::Everywhere
}

/// Whether an import gives the attribute another name, or another thing this one.
fn is_renamed(import: &Import) -> bool {
    import.path.is_module || import.path.segments.last() != import.name.as_ref()
}
