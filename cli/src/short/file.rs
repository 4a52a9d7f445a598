// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The modules of a file, and the names that it declares and imports.

use super::Names;
use std::collections::BTreeSet;
use syn::{
    ext::IdentExt,
    spanned::Spanned,
    visit::{self, Visit},
    Attribute, ConstParam, File, ForeignItem, Ident, Item, ItemMod, ItemUse, TypeParam, UseTree,
};

/// The innermost module of a file around an offset, and those around that.
pub(super) fn chain_at(file: &File, offset: usize) -> Vec<&[Item]> {
    let mut find = Modules {
        wanted: Some(offset),
        around: vec![&file.items],
        chains: Vec::new(),
    };
    find.visit_file(file);
    find.chains.pop().unwrap_or(vec![&file.items])
}

/// The items of the innermost module around an offset.
pub(crate) fn innermost(file: &File, offset: usize) -> &[Item] {
    chain_at(file, offset).pop().unwrap_or(&file.items)
}

/// The modules of a file that are in it: those around an offset, or all of them, each with the
/// modules around it.
pub(super) struct Modules<'a> {
    pub(super) wanted: Option<usize>,
    pub(super) around: Vec<&'a [Item]>,
    pub(super) chains: Vec<Vec<&'a [Item]>>,
}

impl<'a> Visit<'a> for Modules<'a> {
    fn visit_item_mod(&mut self, module: &'a ItemMod) {
        let range = module.span().byte_range();
        let is_wanted = self.wanted.is_none_or(|offset| range.contains(&offset));
        if let (true, Some((_, items))) = (is_wanted, &module.content) {
            self.around.push(items);
            self.chains.push(self.around.clone());
            visit::visit_item_mod(self, module);
            self.around.pop();
        }
    }
}

/// The names that a file declares, at any depth.
#[derive(Default)]
pub(super) struct Declared {
    /// The names of items and parameters, and the names whose import depends on a condition.
    pub(super) items: BTreeSet<String>,
    pub(super) imports: Vec<(String, Names)>,
    pub(super) has_no_prelude: bool,
    /// The name that other crates use for `crate`.
    own: Option<String>,
}

impl Declared {
    pub(super) fn in_file(file: &File, own: Option<&str>) -> Self {
        let mut declared = Self {
            own: own.map(ToOwned::to_owned),
            ..Self::default()
        };
        declared.visit_file(file);
        declared
    }

    fn note(&mut self, name: &Ident) {
        self.items.insert(name.unraw().to_string());
    }
}

impl<'a> Visit<'a> for Declared {
    fn visit_attribute(&mut self, attr: &'a Attribute) {
        self.has_no_prelude |= attr.path().is_ident("no_implicit_prelude");
    }

    fn visit_type_param(&mut self, param: &'a TypeParam) {
        self.note(&param.ident);
    }

    fn visit_const_param(&mut self, param: &'a ConstParam) {
        self.note(&param.ident);
    }

    fn visit_foreign_item(&mut self, item: &'a ForeignItem) {
        match item {
            ForeignItem::Fn(item) => self.note(&item.sig.ident),
            ForeignItem::Static(item) => self.note(&item.ident),
            ForeignItem::Type(item) => self.note(&item.ident),
            _ => (),
        }
    }

    fn visit_item(&mut self, item: &'a Item) {
        match item {
            Item::Const(item) => self.note(&item.ident),
            Item::Enum(item) => self.note(&item.ident),
            Item::ExternCrate(item) => self.note(&item.ident),
            Item::Fn(item) => self.note(&item.sig.ident),
            Item::Macro(item) => item.ident.iter().for_each(|name| self.note(name)),
            Item::Mod(item) => self.note(&item.ident),
            Item::Static(item) => self.note(&item.ident),
            Item::Struct(item) => self.note(&item.ident),
            Item::Trait(item) => self.note(&item.ident),
            Item::TraitAlias(item) => self.note(&item.ident),
            Item::Type(item) => self.note(&item.ident),
            Item::Union(item) => self.note(&item.ident),
            Item::Use(item) => {
                for import in imports(item, self.own.as_deref()) {
                    match import.name {
                        Some(name) if import.is_conditional => {
                            self.items.insert(name);
                        }
                        Some(name) => self.imports.push((name, import.path)),
                        None => (),
                    }
                }
            }
            _ => (),
        }
        visit::visit_item(self, item);
    }
}

/// One import of a `use`.
pub(super) struct Import {
    /// [`None`] for `*`.
    pub(super) name: Option<String>,
    pub(super) path: Names,
    pub(super) is_conditional: bool,
}

/// Returns the imports of an item.
pub(super) fn imports(item: &ItemUse, own: Option<&str>) -> Vec<Import> {
    let is_condition = |attr: &Attribute| {
        let path = attr.path();
        path.is_ident("cfg") || path.is_ident("cfg_attr")
    };
    let mut found = Vec::new();
    collect(&item.tree, &mut Vec::new(), &mut found);

    for import in &mut found {
        import.is_conditional = item.attrs.iter().any(is_condition);
        if let (Some(own), Some(first)) = (own, import.path.first_mut()) {
            if first == "crate" {
                own.clone_into(first);
            }
        }
    }
    found
}

fn collect(tree: &UseTree, path: &mut Names, found: &mut Vec<Import>) {
    let mut add = |name: Option<&Ident>, of: Option<&Ident>| {
        let of = of
            .map(|of| of.unraw().to_string())
            .filter(|of| of != "self");
        let path: Names = path.iter().cloned().chain(of).collect();
        let name = name.map(|name| match name.unraw().to_string() {
            this if this == "self" => path.last().cloned().unwrap_or_default(),
            name => name,
        });
        found.push(Import {
            name,
            path,
            is_conditional: false,
        });
    };

    match tree {
        UseTree::Name(tree) => add(Some(&tree.ident), Some(&tree.ident)),
        UseTree::Rename(tree) => add(Some(&tree.rename), Some(&tree.ident)),
        UseTree::Glob(_) => add(None, None),
        UseTree::Path(tree) => {
            path.push(tree.ident.unraw().to_string());
            collect(&tree.tree, path, found);
            path.pop();
        }
        UseTree::Group(tree) => {
            for tree in &tree.items {
                collect(tree, path, found);
            }
        }
    }
}
