// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The public items of a file.

use super::signature::{self, Owner};
use std::fmt;
use syn::{
    Attribute, Expr, ExprLit, File, ImplItem, Item as SynItem, Lit, Meta, TraitItem, Visibility,
};

/// The name of an item, with that of the type that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    owner: String,
    name: String,
}

impl Place {
    fn new(owner: &str, name: impl Into<String>) -> Self {
        Self {
            owner: owner.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.owner.is_empty() {
            write!(f, "{}::", self.owner)?;
        }
        f.write_str(&self.name)
    }
}

/// A public item.
pub(super) struct Item {
    pub(super) place: Place,
    pub(super) signature: String,
}

/// Returns the files of `rust/kernel/` that a file says in its module comment to stand for; those
/// that end with a slash are folders.
pub(super) fn stands_for(file: &File) -> Vec<String> {
    file.attrs
        .iter()
        .filter_map(doc)
        .collect::<Vec<_>>()
        .join("\n")
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
        attribute.path().is_ident(name)
            && attribute
                .parse_args::<syn::Ident>()
                .is_ok_and(|ident| ident == argument)
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

/// Returns the public items of a file.
pub(super) fn public(file: &File, which: Which) -> Vec<Item> {
    let mut items = Vec::new();
    collect(&file.items, which, &mut items);
    items
}

fn collect(from: &[SynItem], which: Which, items: &mut Vec<Item>) {
    let is_hidden = |attributes: &[Attribute]| {
        is(attributes, "cfg", "test")
            || (which == Which::Documented && is(attributes, "doc", "hidden"))
    };
    let mut add = |owner: &str, name: String, signature: String| {
        items.push(Item {
            place: Place::new(owner, name),
            signature,
        });
    };
    let is_public = |vis: &Visibility, attrs: &[Attribute]| {
        matches!(vis, Visibility::Public(_)) && !is_hidden(attrs)
    };
    let mut modules = Vec::new();

    for item in from {
        match item {
            SynItem::Fn(it) if is_public(&it.vis, &it.attrs) => add(
                "",
                format!("{}()", it.sig.ident),
                signature::function(&it.sig, None),
            ),
            SynItem::Struct(it) if is_public(&it.vis, &it.attrs) => add(
                "",
                it.ident.to_string(),
                format!("struct {}{}", it.ident, signature::generics(&it.generics)),
            ),
            SynItem::Enum(it) if is_public(&it.vis, &it.attrs) => {
                let variants: Vec<_> = it.variants.iter().map(|it| it.ident.to_string()).collect();
                add(
                    "",
                    it.ident.to_string(),
                    format!(
                        "enum {}{} {{ {} }}",
                        it.ident,
                        signature::generics(&it.generics),
                        variants.join(", ")
                    ),
                );
            }
            SynItem::Type(it) if is_public(&it.vis, &it.attrs) => add(
                "",
                it.ident.to_string(),
                format!(
                    "type {}{} = {}",
                    it.ident,
                    signature::generics(&it.generics),
                    signature::ty(&it.ty, None)
                ),
            ),
            SynItem::Const(it) if is_public(&it.vis, &it.attrs) => add(
                "",
                it.ident.to_string(),
                format!("const {}: {}", it.ident, signature::ty(&it.ty, None)),
            ),
            SynItem::Macro(it)
                if it.attrs.iter().any(|it| it.path().is_ident("macro_export"))
                    && !is_hidden(&it.attrs) =>
            {
                if let Some(ident) = &it.ident {
                    add("", format!("{ident}!"), "macro".into());
                }
            }
            SynItem::Trait(it) if is_public(&it.vis, &it.attrs) => {
                let owner = it.ident.to_string();
                let keyword = if it.unsafety.is_some() {
                    "unsafe trait"
                } else {
                    "trait"
                };
                add(
                    "",
                    owner.clone(),
                    format!("{keyword} {owner}{}", signature::generics(&it.generics)),
                );
                for member in &it.items {
                    match member {
                        TraitItem::Fn(it) if !is_hidden(&it.attrs) => add(
                            &owner,
                            format!("{}()", it.sig.ident),
                            signature::function(&it.sig, None),
                        ),
                        TraitItem::Type(it) if !is_hidden(&it.attrs) => {
                            add(&owner, it.ident.to_string(), format!("type {}", it.ident));
                        }
                        TraitItem::Const(it) if !is_hidden(&it.attrs) => add(
                            &owner,
                            it.ident.to_string(),
                            format!("const {}: {}", it.ident, signature::ty(&it.ty, None)),
                        ),
                        _ => {}
                    }
                }
            }
            SynItem::Impl(it) if it.trait_.is_none() => {
                let Some(owner) = Owner::new(&it.self_ty) else {
                    continue;
                };
                for member in &it.items {
                    match member {
                        ImplItem::Fn(it) if is_public(&it.vis, &it.attrs) => add(
                            owner.name(),
                            format!("{}()", it.sig.ident),
                            signature::function(&it.sig, Some(&owner)),
                        ),
                        ImplItem::Const(it) if is_public(&it.vis, &it.attrs) => add(
                            owner.name(),
                            it.ident.to_string(),
                            format!(
                                "const {}: {}",
                                it.ident,
                                signature::ty(&it.ty, Some(&owner))
                            ),
                        ),
                        _ => {}
                    }
                }
            }
            // Another file may export items of a private module, which this does not
            // follow.
            SynItem::Mod(it) if is_public(&it.vis, &it.attrs) => {
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
        assert!(all.iter().any(|item| item.place.name == "hidden()"));

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
