// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The files of a file's modules: whether one of them imports the attribute from a module above.

use crate::{
    find::ATTRIBUTE,
    scopes::{Scopes, Target, Written},
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};
use syn::{ext::IdentExt, Expr, ExprLit, ItemMod, Lit, Meta};

/// Whether the file of a module, or of one in that, uses the attribute from a module above.
///
/// `inside` are the modules of the file at `path` that `module` is declared in.
pub(crate) fn uses_attribute(path: &Path, inside: &[String], module: &ItemMod) -> bool {
    let mut seen = BTreeSet::new();
    let mut next = files(path, inside, module);

    while let Some(path) = next.pop() {
        if !path.is_file() || !seen.insert(path.clone()) {
            continue;
        }
        let text = fs::read_to_string(&path).ok();
        let Some(file) = text.and_then(|text| syn::parse_file(&text).ok()) else {
            continue;
        };

        let scopes = Scopes::of(&file);
        if is_used(&scopes) {
            return true;
        }
        for (_, inside, module) in &scopes.files {
            next.extend(files(&path, inside, module));
        }
    }

    false
}

/// The files that a module may be in.
fn files(path: &Path, inside: &[String], module: &ItemMod) -> Vec<PathBuf> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let given = module.attrs.iter().find_map(|attr| match &attr.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(path),
                ..
            }) => Some(path.value()),
            _ => None,
        },
        _ => None,
    });
    if let Some(given) = given {
        return vec![folder.join(given)];
    }

    // Of the root of a crate, as of a `mod.rs`, they are beside it.
    let own = folder.join(path.file_stem().unwrap_or_default());
    let name = module.ident.unraw().to_string();
    [folder, &own]
        .into_iter()
        .map(|folder| folder.join(inside.iter().collect::<PathBuf>()).join(&name))
        .flat_map(|module| [module.with_extension("rs"), module.join("mod.rs")])
        .collect()
}

/// Whether a file uses the attribute from a module above.
fn is_used(scopes: &Scopes) -> bool {
    let is_above = |path: &Written| {
        let head = path.segments.first().map(String::as_str);
        matches!(head, Some("super" | "crate"))
    };
    let is_attribute = |path: &Written| path.segments.last().is_some_and(|it| it == ATTRIBUTE);

    let is_imported = scopes
        .imports
        .iter()
        .any(|import| is_above(&import.path) && is_attribute(&import.path));
    let is_named = scopes
        .mentions
        .iter()
        .any(|path| is_above(path) && is_attribute(path));
    let has_all = scopes
        .imports
        .iter()
        .any(|import| import.name.is_none() && is_above(&import.path));
    let is_found = |path: &Written| {
        let target = scopes.target(path);
        matches!(target, Target::Attribute | Target::Named)
    };
    let lacks_import = scopes
        .mentions
        .iter()
        .any(|path| path.is_attribute && path.segments == [ATTRIBUTE] && !is_found(path));

    is_imported || is_named || (has_all && lacks_import)
}
