// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The files of a file's modules: whether one of those may import the attribute from here.

use crate::find::ATTRIBUTE;
use std::{
    collections::BTreeSet,
    fs, mem,
    path::{
        Path,
        PathBuf, //
    },
};
use syn::{
    ext::IdentExt,
    visit::{
        self,
        Visit, //
    },
    Expr,
    ExprLit,
    File,
    Ident,
    ItemMod,
    Lit,
    Meta, //
};

/// Whether the file of a module, or of one in that, has the name of the attribute in it, and of
/// modules above.
///
/// `inside` are the modules of the file at `path` that `module` is declared in.
pub(crate) fn may_use_attribute(path: &Path, inside: &[String], module: &ItemMod) -> bool {
    let mut search = Search {
        path: path.to_owned(),
        inside: inside.to_vec(),
        seen: BTreeSet::new(),
        names_attribute: false,
        names_parent: false,
    };
    search.visit_item_mod(module);

    search.names_attribute && search.names_parent
}

struct Search {
    /// The file that is looked through.
    path: PathBuf,
    /// The modules around, in that file.
    inside: Vec<String>,
    /// The files that are looked through already.
    seen: BTreeSet<PathBuf>,
    names_attribute: bool,
    names_parent: bool,
}

impl Search {
    /// The files that a module may be in.
    fn files(&self, module: &ItemMod) -> Vec<PathBuf> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
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
        let own = folder.join(self.path.file_stem().unwrap_or_default());
        let name = module.ident.unraw().to_string();
        [folder, &own]
            .into_iter()
            .map(|folder| folder.join(self.inside.iter().collect::<PathBuf>()))
            .flat_map(|folder| {
                [
                    folder.join(&name).with_extension("rs"),
                    folder.join(&name).join("mod.rs"),
                ]
            })
            .collect()
    }

    /// Looks through a file, if it is there.
    fn file(&mut self, path: PathBuf) {
        if !path.is_file() || !self.seen.insert(path.clone()) {
            return;
        }
        let file = fs::read_to_string(&path).ok();
        let Some(file) = file.and_then(|text| syn::parse_file(&text).ok()) else {
            return;
        };

        let outer = (
            mem::replace(&mut self.path, path),
            mem::take(&mut self.inside),
        );
        self.visit_file(&file);
        (self.path, self.inside) = outer;
    }
}

impl<'a> Visit<'a> for Search {
    fn visit_file(&mut self, file: &'a File) {
        visit::visit_file(self, file);
    }

    fn visit_item_mod(&mut self, module: &'a ItemMod) {
        if module.content.is_some() {
            self.inside.push(module.ident.unraw().to_string());
            visit::visit_item_mod(self, module);
            self.inside.pop();
        } else {
            for path in self.files(module) {
                self.file(path);
            }
        }
    }

    fn visit_ident(&mut self, ident: &'a Ident) {
        self.names_attribute |= ident == ATTRIBUTE;
        self.names_parent |= ident == "super" || ident == "crate";
    }
}
