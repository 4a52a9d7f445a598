// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Paths as one would write them in a file: `Ok`, where the macro gives rustc
//! `::core::result::Result::Ok`, and `Device<Bound>`, where the file imports both names.
//!
//! A name is used only if it is imported or in a prelude, and no item, parameter or other import
//! anywhere in the file has the name. In a module with a `*` import of unknown names, paths stay as
//! they are.

mod file;
mod paths;
mod resolve;

pub(crate) use file::innermost;
use file::{chain_at, imports, Declared};
pub(crate) use paths::is_colon;
use paths::{colons_before, is_name, path_at};
use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
pub use resolve::resolve;
use std::collections::{BTreeMap, BTreeSet};
use syn::{File, Item};

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

/// The names in `prelude::*` that expansions use; `KERNEL` is the crate.
const OF_PRELUDE: [(&str, &str); 6] = [
    ("EINVAL", "KERNEL::error::code::EINVAL"),
    ("Error", "KERNEL::error::Error"),
    ("Pin", "core::pin::Pin"),
    ("Result", "KERNEL::error::Result"),
    ("pin_data", "KERNEL::prelude::pin_data"),
    ("pinned_drop", "KERNEL::prelude::pinned_drop"),
];

/// The names in `devres::*` that expansions use.
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

/// The known names of crates.
#[derive(Clone, Copy, Default)]
pub(crate) struct Crates<'a> {
    /// The name that other crates use for the file's own crate.
    pub(crate) own: Option<&'a str>,
    /// The runtime, whose prelude is known; without this, every prelude is taken for that one.
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
    /// The name that other crates use for `crate`.
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

    /// The name that other crates use for a crate.
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

#[cfg(test)]
mod tests {
    use super::*;
    use quote::{quote, ToTokens};
    use syn::parse_quote;

    const CRATES: Crates<'_> = Crates {
        own: None,
        runtime: Some("kernel"),
    };

    /// Shortens some generated code as if it stood at the end of this text.
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
