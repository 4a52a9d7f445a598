// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Paths as one would write them in a file: `Ok`, where the macro gives rustc
//! `::core::result::Result::Ok`, and `Device<Bound>`, where the file imports both names.
//!
//! A name is used only if all that the file says of that name agrees: it is imported, or in a
//! prelude, and no item, parameter or other import anywhere in the file has the name. In a module
//! with a `*` import that leads out of what is known here, paths stay as they are.

use proc_macro2::{
    Group,
    Ident,
    Span,
    TokenStream,
    TokenTree, //
};
use std::{
    collections::{
        BTreeMap,
        BTreeSet, //
    },
    mem,
};
use syn::{
    ext::IdentExt,
    punctuated::Punctuated,
    spanned::Spanned,
    token,
    visit::{
        self,
        Visit, //
    },
    visit_mut::{
        self,
        VisitMut, //
    },
    Attribute,
    ConstParam,
    ExprPath,
    File,
    ForeignItem,
    Item,
    ItemMod,
    ItemUse,
    Path,
    QSelf,
    TypeParam,
    TypePath,
    UseTree,
    VisRestricted, //
};

/// What Rust has in scope.
const OF_RUST: [(&str, &str); 8] = [
    ("None", "core::option::Option::None"),
    ("Option", "core::option::Option"),
    ("Some", "core::option::Option::Some"),
    ("Err", "core::result::Result::Err"),
    ("Ok", "core::result::Result::Ok"),
    ("Send", "core::marker::Send"),
    ("Sized", "core::marker::Sized"),
    ("Sync", "core::marker::Sync"),
];

/// Types that Rust has in scope without a prelude.
const PRIMITIVE: (&str, &str) = ("bool", "core::primitive::bool");

/// What `prelude::*` has of what is printed; `KERNEL` is the crate.
const OF_PRELUDE: [(&str, &str); 6] = [
    ("EINVAL", "KERNEL::error::code::EINVAL"),
    ("Error", "KERNEL::error::Error"),
    ("Pin", "core::pin::Pin"),
    ("Result", "KERNEL::error::Result"),
    ("pin_data", "KERNEL::prelude::pin_data"),
    ("pinned_drop", "KERNEL::prelude::pinned_drop"),
];

/// The same of `devres::*`.
const OF_DEVRES: [&str; 16] = [
    "Entry",
    "EvictableLazy",
    "HasView",
    "Lazy",
    "LazyGuard",
    "LazyLt",
    "LazyOwner",
    "LazyPin",
    "MapMarker",
    "OwnerView",
    "PinEntry",
    "PinVacant",
    "PlaceLt",
    "TeardownFirst",
    "Vacant",
    "same_device",
];

/// A path, as its names.
pub(crate) type Names = Vec<String>;

/// What is known of crates.
#[derive(Clone, Copy, Default)]
pub(crate) struct Crates<'a> {
    /// What others call the file's own.
    pub(crate) own: Option<&'a str>,
    /// The runtime, whose prelude is known; without this, every crate's is taken for that.
    pub(crate) runtime: Option<&'a str>,
}

/// The names that a module can use, and what each one is.
#[derive(Clone, Default)]
pub(crate) struct Short {
    names: BTreeMap<String, Names>,
    /// Whether all imports of the module are known.
    pub(crate) is_complete: bool,
    /// The names that the file declares.
    declared: BTreeSet<String>,
    /// What `crate` is called by others.
    own: Option<String>,
}

impl Short {
    /// The names at an offset of a file.
    pub(crate) fn at(file: &File, offset: usize, crates: Crates<'_>) -> Self {
        let declared = Declared::in_file(file, crates.own);

        Self::of(&declared, &chain_at(file, offset), crates)
    }

    /// The names in the last of some modules, each of which is in the one before it.
    fn of(declared: &Declared, chain: &[&[Item]], crates: Crates<'_>) -> Self {
        let mut short = Self::default();
        let of_rust = OF_RUST.iter().chain([&PRIMITIVE]);
        short.add(of_rust.map(|&(name, path)| (name, path.to_owned())));
        if declared.has_no_prelude || !short.add_imports(chain, crates) {
            return Self::default();
        }
        short.is_complete = true;
        let imported = declared.imports.iter().map(|(name, _)| name);
        short.declared = declared.items.iter().chain(imported).cloned().collect();
        short.own = crates.own.map(ToOwned::to_owned);

        short.names.retain(|name, path| {
            let mut imports = declared.imports.iter();
            let is_another = |(other, of): &(String, Names)| other == name && of != path;
            !declared.items.contains(name) && !imports.any(is_another)
        });
        short
    }

    fn add<'a>(&mut self, names: impl IntoIterator<Item = (&'a str, String)>) {
        let names = names.into_iter();
        self.names.extend(names.map(|(name, path)| {
            (
                name.to_owned(),
                path.split("::").map(ToOwned::to_owned).collect(),
            )
        }));
    }

    /// Adds what the last module imports. Returns whether all of that is known.
    fn add_imports(&mut self, chain: &[&[Item]], crates: Crates<'_>) -> bool {
        let Some((items, around)) = chain.split_last() else {
            return false;
        };
        let imports: Vec<_> = items
            .iter()
            .filter_map(|item| match item {
                Item::Use(item) => Some(imports(item, crates.own)),
                _ => None,
            })
            .flatten()
            .collect();

        for import in imports.iter().filter(|import| import.name.is_none()) {
            let path = import.path.join("::");
            let of_runtime = |module| {
                let krate = path.strip_suffix(module)?;
                crates.runtime.is_none_or(|it| it == krate).then_some(krate)
            };
            if import.is_conditional {
                return false;
            } else if path == "super" && !around.is_empty() {
                if !self.add_imports(around, crates) {
                    return false;
                }
            } else if let Some(krate) = of_runtime("::prelude") {
                self.add(OF_PRELUDE.map(|(name, path)| (name, path.replace("KERNEL", krate))));
            } else if of_runtime("::devres").is_some() {
                self.add(OF_DEVRES.map(|name| (name, format!("{path}::{name}"))));
            } else {
                return false;
            }
        }
        for import in imports {
            if let Some(name) = import.name {
                self.names.insert(name, import.path);
            }
        }
        true
    }

    /// Whether the file declares nothing of this name, and no prelude has it.
    pub(crate) fn is_free(&self, name: &str) -> bool {
        !self.names.contains_key(name) && !self.declared.contains(name)
    }

    /// What a crate is called by others.
    pub(crate) fn full(&self, krate: &str) -> String {
        match &self.own {
            Some(own) if krate == "crate" => own.clone(),
            _ => krate.to_owned(),
        }
    }

    /// Calls `visit` for each path of the macro's that begins with `::`, and has no short name.
    pub(crate) fn for_each_long(
        &self,
        tokens: TokenStream,
        is_written: &dyn Fn(&TokenTree) -> bool,
        visit: &mut dyn FnMut(&[String]),
    ) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            if let TokenTree::Group(group) = token {
                self.for_each_long(group.stream(), is_written, visit);
            }
            let is_begin = is_colon(token) && colons_before(&tokens, at) < 2;
            let path = path_at(&tokens, at);
            let is_inside = at > 0 && is_name(&tokens, at - 1);
            let is_new = path
                .last()
                .is_some_and(|&(end, _)| !is_written(&tokens[end - 1]));
            if is_begin && !is_inside && is_new && self.name_of(&path).is_none() {
                let names: Vec<_> = path.into_iter().map(|(_, name)| name).collect();
                visit(&names);
            }
        }
    }

    /// Shortens the paths that the macro has written. `is_written` tells the author's tokens.
    pub(crate) fn shorten(
        &self,
        tokens: TokenStream,
        is_written: &dyn Fn(&TokenTree) -> bool,
    ) -> TokenStream {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut short = TokenStream::new();
        let mut at = 0;

        while at < tokens.len() {
            let path = path_at(&tokens, at);
            let is_inside = colons_before(&tokens, at) == 2;
            if let Some((end, name)) = self
                .name_of(&path)
                .filter(|(end, _)| !is_inside && !is_written(&tokens[end - 1]))
            {
                short.extend([TokenTree::from(Ident::new(&name, Span::call_site()))]);
                at = end;
                continue;
            }
            // As a whole, so that no part of it is taken for a path.
            let end = path.last().map_or(at + 1, |&(end, _)| end);
            for token in &tokens[at..end] {
                short.extend([match token {
                    TokenTree::Group(group) => {
                        let inner = self.shorten(group.stream(), is_written);
                        let mut group = Group::new(group.delimiter(), inner);
                        group.set_span(token.span());
                        TokenTree::from(group)
                    }
                    token => token.clone(),
                }]);
            }
            at = end;
        }
        short
    }

    /// The name for as much of a path as has one, and where that part ends.
    fn name_of(&self, path: &[(usize, String)]) -> Option<(usize, String)> {
        (2..=path.len()).rev().find_map(|length| {
            let names = path[..length].iter().map(|(_, name)| name);
            let found = self
                .names
                .iter()
                .find(|(_, path)| names.clone().eq(path.iter()));
            found.map(|(name, _)| (path[length - 1].0, name.clone()))
        })
    }
}

/// The path that begins at a token: its names, each with where it ends.
fn path_at(tokens: &[TokenTree], mut at: usize) -> Vec<(usize, String)> {
    let is_separator = |at: usize| {
        tokens.get(at).is_some_and(is_colon) && tokens.get(at + 1).is_some_and(is_colon)
    };
    let mut names = Vec::new();
    if is_separator(at) {
        at += 2;
    }

    while let Some(TokenTree::Ident(name)) = tokens.get(at).filter(|_| is_name(tokens, at)) {
        names.push((at + 1, name.unraw().to_string()));
        at += 1;
        if !is_separator(at) {
            break;
        }
        at += 2;
    }
    names
}

/// Whether a token is a name that a path may have: neither a keyword nor a lifetime.
fn is_name(tokens: &[TokenTree], at: usize) -> bool {
    let is_quote = |token: &TokenTree| token.to_string() == "'";
    match &tokens[at] {
        TokenTree::Ident(name) => {
            let name = name.to_string();
            let is_special = ["Self", "crate", "self", "super"].contains(&name.as_str());
            let is_lifetime = at > 0 && is_quote(&tokens[at - 1]);
            !is_lifetime && (is_special || syn::parse_str::<Ident>(&name).is_ok())
        }
        _ => false,
    }
}

/// How many colons stand before a token: one is that of a type, and two are those of a path.
fn colons_before(tokens: &[TokenTree], at: usize) -> usize {
    tokens[..at]
        .iter()
        .rev()
        .take_while(|token| is_colon(token))
        .count()
}

pub(crate) fn is_colon(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(colon) if colon.as_char() == ':')
}

/// Replaces each short name in a file by the path that it stands for, and leaves out the `::` that
/// paths begin with: two files in which the same names mean the same things are then the same.
pub fn resolve(file: &mut File) {
    let copy = file.clone();
    let mut find = Modules {
        wanted: None,
        around: vec![&copy.items],
        chains: Vec::new(),
    };
    find.visit_file(&copy);
    let declared = Declared::in_file(&copy, None);
    let scopes: Vec<_> = find
        .chains
        .iter()
        .map(|chain| Short::of(&declared, chain, Crates::default()))
        .collect();

    let mut resolve = Resolve {
        current: Short::of(&declared, &[&copy.items], Crates::default()),
        modules: scopes.into_iter(),
    };
    resolve.visit_file_mut(file);
}

struct Resolve<I> {
    current: Short,
    /// The names of the modules that are not visited yet.
    modules: I,
}

impl<I: Iterator<Item = Short>> Resolve<I> {
    /// Replaces the names in a path that may begin with `<T as Trait>` or `<T>`.
    fn qualified(&mut self, of: &mut Option<QSelf>, path: &mut Path) {
        let Some(of) = of else {
            return self.visit_path_mut(path);
        };
        self.visit_type_mut(&mut of.ty);
        if of.position == 0 {
            // What follows is a name in the type.
            return visit_mut::visit_path_mut(self, path);
        }
        let before = path.segments.len();
        self.visit_path_mut(path);
        of.position += path.segments.len() - before;
    }
}

impl<I: Iterator<Item = Short>> VisitMut for Resolve<I> {
    fn visit_item_mod_mut(&mut self, module: &mut ItemMod) {
        if module.content.is_none() {
            return;
        }
        let inner = self.modules.next().unwrap_or_default();
        let outer = mem::replace(&mut self.current, inner);
        visit_mut::visit_item_mod_mut(self, module);
        self.current = outer;
    }

    fn visit_item_use_mut(&mut self, _: &mut ItemUse) {}

    fn visit_vis_restricted_mut(&mut self, _: &mut VisRestricted) {}

    fn visit_expr_path_mut(&mut self, expr: &mut ExprPath) {
        self.qualified(&mut expr.qself, &mut expr.path);
    }

    fn visit_type_path_mut(&mut self, ty: &mut TypePath) {
        self.qualified(&mut ty.qself, &mut ty.path);
    }

    fn visit_path_mut(&mut self, path: &mut Path) {
        visit_mut::visit_path_mut(self, path);
        let first = &path.segments[0];
        let full = self.current.names.get(&first.ident.unraw().to_string());
        if let (Some(full), None) = (full, path.leading_colon) {
            let names = full.iter().map(|name| Ident::new(name, Span::call_site()));
            let mut segments: Punctuated<syn::PathSegment, token::PathSep> =
                names.map(syn::PathSegment::from).collect();
            if let Some(last) = segments.last_mut() {
                last.arguments = first.arguments.clone();
            }
            segments.extend(path.segments.iter().skip(1).cloned());
            path.segments = segments;
        }
        path.leading_colon = None;
    }
}

/// The innermost module of a file around an offset, and those around that.
fn chain_at(file: &File, offset: usize) -> Vec<&[Item]> {
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
struct Modules<'a> {
    wanted: Option<usize>,
    around: Vec<&'a [Item]>,
    chains: Vec<Vec<&'a [Item]>>,
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
struct Declared {
    /// Those of items and parameters, and those whose import depends on a condition.
    items: BTreeSet<String>,
    imports: Vec<(String, Names)>,
    has_no_prelude: bool,
    /// What `crate` is called by others.
    own: Option<String>,
}

impl Declared {
    fn in_file(file: &File, own: Option<&str>) -> Self {
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

/// What a `use` imports.
struct Import {
    /// [`None`] for `*`.
    name: Option<String>,
    path: Names,
    is_conditional: bool,
}

/// What an item imports.
fn imports(item: &ItemUse, own: Option<&str>) -> Vec<Import> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use quote::{
        quote,
        ToTokens, //
    };
    use syn::parse_quote;

    const CRATES: Crates<'_> = Crates {
        own: None,
        runtime: Some("kernel"),
    };

    /// What some generated code becomes behind this text.
    fn short(text: &str) -> String {
        let file = syn::parse_file(text).unwrap();
        let code = quote! {
            ::core::result::Result::Ok(::kernel::device::Device::<::kernel::device::Bound>),
            self: ::kernel::error::Result<::core::pin::Pin>
        };
        let tokens = Short::at(&file, text.len() - 2, CRATES).shorten(code, &|_| false);
        tokens.to_string().replace(' ', "")
    }

    #[test]
    fn names_in_scope_are_used() {
        for (text, expected) in [
            (
                "struct A;",
                "Ok(::kernel::device::Device::<::kernel::device::Bound>),\
                 self:::kernel::error::Result<::core::pin::Pin>",
            ),
            (
                "use kernel::{device::{Bound, Device as D}, prelude::*}; struct A;",
                "Ok(D::<Bound>),self:Result<Pin>",
            ),
            (
                "use kernel::device::{self, Bound}; mod a { use super::*; struct A; } ",
                "Ok(device::Device::<Bound>),self:::kernel::error::Result<::core::pin::Pin>",
            ),
        ] {
            assert_eq!(short(text), expected, "{text}");
        }
    }

    #[test]
    fn names_of_other_things_are_not() {
        let full = "::core::result::Result::Ok(::kernel::device::Device::<::kernel::device::Bound>\
                    ),self:::kernel::error::Result<::core::pin::Pin>";
        for text in [
            "use a::*; struct A;",
            "use super::*; struct A;",
            "use other::prelude::*; struct A;",
            "#[cfg(a)] use kernel::prelude::*; struct A;",
            "#![no_implicit_prelude] struct A;",
            "fn f() { fn Ok() {} } struct A;",
            "use a::Ok; struct A;",
            "#[cfg(a)] use core::result::Result::Ok; struct A;",
            "struct A<Ok>(Ok);",
            "mod a { use kernel::device::Device; } mod b { use c::Ok; struct A; } ",
        ] {
            assert_eq!(short(text), full, "{text}");
        }
    }

    #[test]
    fn the_authors_paths_stay() {
        let file = syn::parse_file("use kernel::device::Device;").unwrap();
        let tokens = quote!(::kernel::device::Device, a::kernel::device::Device);
        let short = Short::at(&file, 0, CRATES);

        assert_eq!(
            short.shorten(tokens.clone(), &|_| true).to_string(),
            tokens.to_string()
        );
        let once = short
            .shorten(tokens, &|_| false)
            .to_string()
            .replace(' ', "");
        assert_eq!(once, "Device,a::kernel::device::Device");
    }

    #[test]
    fn short_names_are_resolved() {
        let mut short: File = parse_quote! {
            use kernel::{device::Device, prelude::*};
            impl A {
                fn f(_: &Device<u32>) -> Result { <A as Send>::f(); <A>::Ok(); Ok(x) }
            }
        };
        let mut full: File = parse_quote! {
            use kernel::{device::Device, prelude::*};
            impl A {
                fn f(_: &::kernel::device::Device<u32>) -> ::kernel::error::Result {
                    <A as ::core::marker::Send>::f();
                    <A>::Ok();
                    ::core::result::Result::Ok(x)
                }
            }
        };
        let other = full.clone();
        resolve(&mut short);
        resolve(&mut full);

        assert_eq!(
            short.to_token_stream().to_string(),
            full.to_token_stream().to_string()
        );
        assert_ne!(
            other.to_token_stream().to_string(),
            full.to_token_stream().to_string()
        );
    }
}
