// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The names that no local of the expansion can have in a file: values that the file declares,
//! functions aside, and imports, which may be such values.

use std::collections::BTreeSet;
use syn::{
    ext::IdentExt,
    visit::{self, Visit},
    ConstParam, File, Ident, ItemConst, ItemStatic, ItemStruct, UseName, UseRename, Variant,
};

/// Returns these names of a file, at any depth.
pub(crate) fn names(file: &File) -> BTreeSet<String> {
    let mut declared = Declared(BTreeSet::new());
    declared.visit_file(file);
    declared.0
}

struct Declared(BTreeSet<String>);

impl Declared {
    fn note(&mut self, name: &Ident) {
        self.0.insert(name.unraw().to_string());
    }
}

impl<'a> Visit<'a> for Declared {
    fn visit_const_param(&mut self, param: &'a ConstParam) {
        self.note(&param.ident);
    }

    fn visit_item_const(&mut self, item: &'a ItemConst) {
        self.note(&item.ident);
        visit::visit_item_const(self, item);
    }

    fn visit_item_static(&mut self, item: &'a ItemStatic) {
        self.note(&item.ident);
        visit::visit_item_static(self, item);
    }

    fn visit_item_struct(&mut self, item: &'a ItemStruct) {
        self.note(&item.ident);
        visit::visit_item_struct(self, item);
    }

    fn visit_use_name(&mut self, name: &'a UseName) {
        self.note(&name.ident);
    }

    fn visit_use_rename(&mut self, rename: &'a UseRename) {
        self.note(&rename.rename);
    }

    fn visit_variant(&mut self, variant: &'a Variant) {
        self.note(&variant.ident);
        visit::visit_variant(self, variant);
    }
}
