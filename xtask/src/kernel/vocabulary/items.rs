// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The public items of a file.

use super::signature::{self, constant, function, header, ty};
use syn::{
    Attribute, Expr, ExprLit, File, ImplItem, Item as SynItem, Lit, Meta, TraitItem, Visibility,
};

pub(super) struct Item {
    /// Its name, behind that of the type that it belongs to: `Type::function()`.
    pub(super) place: String,
    pub(super) signature: String,
}

/// Returns the files of `rust/kernel/` that a file says in its module comment to stand for; those
/// that end with a slash are folders.
pub(super) fn stands_for(file: &File) -> Vec<String> {
    let docs: Vec<_> = file.attrs.iter().filter_map(doc).collect();
    docs.join("\n")
        .split('`')
        .filter_map(|text| text.strip_prefix("rust/kernel/"))
        .map(str::to_owned)
        .collect()
}

/// Returns the text of an attribute that is documentation.
fn doc(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(meta) = &attribute.meta else {
        return None;
    };
    match &meta.value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) if meta.path.is_ident("doc") => Some(text.value()),
        _ => None,
    }
}

/// Returns whether an attribute is `#[name(argument)]`.
fn is(attributes: &[Attribute], name: &str, argument: &str) -> bool {
    attributes.iter().any(|attribute| {
        let ident = attribute.parse_args::<syn::Ident>();
        attribute.path().is_ident(name) && ident.is_ok_and(|ident| ident == argument)
    })
}

/// Which items of a file are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// Those in the documentation.
    Documented,
    /// Also those that are hidden from the documentation.
    All,
}

impl Which {
    fn shows(self, attrs: &[Attribute]) -> bool {
        let is_documented = self == Self::All || !is(attrs, "doc", "hidden");
        is_documented && !is(attrs, "cfg", "test")
    }
}

/// Returns the public items of a file.
pub(super) fn public(file: &File, which: Which) -> Vec<Item> {
    let mut items = Vec::new();
    collect(&file.items, which, &mut items);
    items
}

fn collect(from: &[SynItem], which: Which, items: &mut Vec<Item>) {
    let is_public = |vis: &Visibility| matches!(vis, Visibility::Public(_));
    let mut modules = Vec::new();
    let mut add = |attrs: &[Attribute], place: String, signature: String| {
        if which.shows(attrs) {
            items.push(Item { place, signature });
        }
    };

    for item in from {
        match item {
            SynItem::Fn(it) if is_public(&it.vis) => {
                let name = format!("{}()", it.sig.ident);
                add(&it.attrs, name, function(&it.sig, None));
            }
            SynItem::Struct(it) if is_public(&it.vis) => {
                let header = header("struct", &it.ident, &it.generics);
                add(&it.attrs, it.ident.to_string(), header);
            }
            SynItem::Enum(it) if is_public(&it.vis) => {
                let variants: Vec<_> = it.variants.iter().map(|it| it.ident.to_string()).collect();
                let header = header("enum", &it.ident, &it.generics);
                let signature = format!("{header} {{ {} }}", variants.join(", "));
                add(&it.attrs, it.ident.to_string(), signature);
            }
            SynItem::Type(it) if is_public(&it.vis) => {
                let header = header("type", &it.ident, &it.generics);
                let signature = format!("{header} = {}", ty(&it.ty, None));
                add(&it.attrs, it.ident.to_string(), signature);
            }
            SynItem::Const(it) if is_public(&it.vis) => {
                let signature = constant(&it.ident, &it.ty, None);
                add(&it.attrs, it.ident.to_string(), signature);
            }
            SynItem::Macro(it) if it.attrs.iter().any(|it| it.path().is_ident("macro_export")) => {
                if let Some(ident) = &it.ident {
                    add(&it.attrs, format!("{ident}!"), "macro".into());
                }
            }
            SynItem::Trait(it) if is_public(&it.vis) && which.shows(&it.attrs) => {
                let owner = &it.ident;
                let keyword = it.unsafety.map_or("trait", |_| "unsafe trait");
                let header = header(keyword, owner, &it.generics);
                add(&it.attrs, owner.to_string(), header);
                for member in &it.items {
                    match member {
                        TraitItem::Fn(it) => {
                            let place = format!("{owner}::{}()", it.sig.ident);
                            add(&it.attrs, place, function(&it.sig, None));
                        }
                        TraitItem::Type(it) => {
                            let place = format!("{owner}::{}", it.ident);
                            add(&it.attrs, place, format!("type {}", it.ident));
                        }
                        TraitItem::Const(it) => {
                            let place = format!("{owner}::{}", it.ident);
                            add(&it.attrs, place, constant(&it.ident, &it.ty, None));
                        }
                        _ => {}
                    }
                }
            }
            SynItem::Impl(it) if it.trait_.is_none() => {
                let owner = Some(&*it.self_ty);
                let Some(name) = signature::name(&it.self_ty) else {
                    continue;
                };
                for member in &it.items {
                    match member {
                        ImplItem::Fn(it) if is_public(&it.vis) => {
                            let place = format!("{name}::{}()", it.sig.ident);
                            add(&it.attrs, place, function(&it.sig, owner));
                        }
                        ImplItem::Const(it) if is_public(&it.vis) => {
                            let place = format!("{name}::{}", it.ident);
                            add(&it.attrs, place, constant(&it.ident, &it.ty, owner));
                        }
                        _ => {}
                    }
                }
            }
            // Another file may export items of a private module, which this does not
            // follow.
            SynItem::Mod(it) if is_public(&it.vis) && which.shows(&it.attrs) => {
                modules.extend(it.content.iter().map(|(_, items)| items));
            }
            _ => {}
        }
    }

    for module in modules {
        collect(module, which, items);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_comment_names_files_and_folders() {
        let file = syn::parse_file(
            "//! Locks.\n//!\n//! Stands for `rust/kernel/sync.rs` and what is below\n\
             //! `rust/kernel/sync/`. C header: `include/linux/mutex.h`.\n",
        );
        assert_eq!(stands_for(&file.unwrap()), ["sync.rs", "sync/"]);
    }

    #[test]
    fn hidden_and_private_items_are_left_out() {
        let file = syn::parse_file(
            "
            fn private() {}
            #[doc(hidden)] pub fn hidden() {}
            pub(crate) struct Mine;
            pub mod open { pub const ONE: usize = 1; }
            #[cfg(test)] mod tests { pub fn test() {} }
            pub unsafe trait Backend { type State; unsafe fn lock(ptr: *mut Self::State); }
            #[macro_export] macro_rules! new_lock { () => {} }
            pub enum Why { Timeout, Signal { left: u64 } }
            impl Why { pub fn new() -> Self { todo!() } fn private() {} }
            ",
        );
        let file = file.unwrap();
        let all = public(&file, Which::All);
        assert!(all.iter().any(|item| item.place == "hidden()"));

        let mut found: Vec<_> = public(&file, Which::Documented)
            .iter()
            .map(|item| format!("{} as {}", item.place, item.signature))
            .collect();
        found.sort();
        assert_eq!(
            found,
            [
                "Backend as unsafe trait Backend",
                "Backend::State as type State",
                "Backend::lock() as unsafe fn lock(*mut Self::State)",
                "ONE as const ONE: usize",
                "Why as enum Why { Timeout, Signal }",
                "Why::new() as fn new() -> Why",
                "new_lock! as macro",
            ]
        );
    }
}
