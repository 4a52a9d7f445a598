// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Signatures in a form in which two of them can be compared.
//!
//! Differences that a caller cannot see are removed. Paths are the last name only, lifetimes and
//! the names of parameters are left out, and `Self` is the type. Bounds are in `where` clauses, in
//! the order of their text. The type parameters of a function are called `G1`, `G2` and so on.

use quote::{format_ident, ToTokens};
use std::collections::BTreeSet;
use syn::{
    punctuated::Punctuated,
    visit_mut::{self, VisitMut},
    FnArg, GenericArgument, GenericParam, Generics, Ident, Path, PathArguments, ReturnType,
    Signature, Type, TypeParam, TypeParamBound, TypePath, WherePredicate,
};

/// The type that a function belongs to.
pub(super) struct Owner {
    name: String,
    ty: Type,
}

impl Owner {
    /// Returns the owner, if the type has a name.
    pub(super) fn new(ty: &Type) -> Option<Self> {
        let Type::Path(path) = ty else { return None };
        Some(Self {
            name: path.path.segments.last()?.ident.to_string(),
            ty: ty.clone(),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// Writes types in one way.
struct Normal<'a> {
    owner: Option<&'a Owner>,
}

impl VisitMut for Normal<'_> {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if let (Type::Path(path), Some(owner)) = (&*ty, self.owner) {
            if path.qself.is_none() && path.path.is_ident("Self") {
                *ty = owner.ty.clone();
            }
        }
        visit_mut::visit_type_mut(self, ty);

        if let Type::Reference(reference) = ty {
            reference.lifetime = None;
        }
    }

    fn visit_type_path_mut(&mut self, path: &mut TypePath) {
        visit_mut::visit_type_path_mut(self, path);
        // An associated type keeps what it belongs to.
        let is_associated = path.qself.is_some()
            || path
                .path
                .segments
                .first()
                .is_some_and(|first| first.ident == "Self");
        if !is_associated {
            shorten(&mut path.path);
        }
    }

    fn visit_trait_bound_mut(&mut self, bound: &mut syn::TraitBound) {
        visit_mut::visit_trait_bound_mut(self, bound);
        bound.lifetimes = None;
        shorten(&mut bound.path);
    }

    fn visit_path_arguments_mut(&mut self, arguments: &mut PathArguments) {
        visit_mut::visit_path_arguments_mut(self, arguments);
        if let PathArguments::AngleBracketed(angle) = arguments {
            angle.args = angle
                .args
                .iter()
                .filter(|argument| !matches!(argument, GenericArgument::Lifetime(_)))
                .cloned()
                .collect();
            if angle.args.is_empty() {
                *arguments = PathArguments::None;
            }
        }
    }
}

/// Leaves the last name of a path, unless an earlier one is a type parameter.
fn shorten(path: &mut Path) {
    let is_projection = path.segments.len() == 2
        && path
            .segments
            .first()
            .is_some_and(|first| first.ident.to_string().len() <= 2);
    if is_projection {
        return;
    }
    if let Some(last) = path.segments.last().cloned() {
        path.leading_colon = None;
        path.segments = Punctuated::from_iter([last]);
    }
}

/// Returns the text of tokens, with the spaces of rustfmt as far as that matters.
fn text(tokens: impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for token in ["::", "<", ">", ",", ";", ":", "(", ")", "]"] {
        text = text.replace(&format!(" {token}"), token);
    }
    for token in ["::", "<", "&", "*", "(", "[", "?"] {
        text = text.replace(&format!("{token} "), token);
    }
    text.replace(",>", ">")
        .replace(" -> ", "->")
        .replace("->", " -> ")
}

/// Returns a type.
pub(super) fn ty(ty: &Type, owner: Option<&Owner>) -> String {
    let mut ty = ty.clone();
    Normal { owner }.visit_type_mut(&mut ty);
    text(ty)
}

/// Returns an item up to its body: the name, and generics without lifetimes.
pub(super) fn header(keyword: &str, ident: &Ident, generics: &Generics) -> String {
    let (names, bounds) = split(generics, None);
    format!("{keyword} {ident}{names}{bounds}")
}

/// Returns a constant.
pub(super) fn constant(ident: &Ident, of: &Type, owner: Option<&Owner>) -> String {
    format!("const {ident}: {}", ty(of, owner))
}

/// Returns the names of generics, and their bounds.
fn split(generics: &Generics, owner: Option<&Owner>) -> (String, String) {
    let mut normal = Normal { owner };
    let mut names = Vec::new();
    let mut bounds = BTreeSet::new();
    let mut add = |of: String, bound: &TypeParamBound| {
        if matches!(bound, TypeParamBound::Lifetime(_)) {
            return;
        }
        let mut bound = bound.clone();
        normal.visit_type_param_bound_mut(&mut bound);
        bounds.insert(format!("{of}: {}", text(bound)));
    };

    for param in &generics.params {
        match param {
            GenericParam::Lifetime(_) => {}
            GenericParam::Const(param) => {
                names.push(format!("const {}: {}", param.ident, text(&param.ty)));
            }
            GenericParam::Type(param) => {
                names.push(match &param.default {
                    Some(default) => format!("{} = {}", param.ident, ty(default, owner)),
                    None => param.ident.to_string(),
                });
                for bound in &param.bounds {
                    add(param.ident.to_string(), bound);
                }
            }
        }
    }
    for predicate in generics.where_clause.iter().flat_map(|it| &it.predicates) {
        if let WherePredicate::Type(predicate) = predicate {
            for bound in &predicate.bounds {
                add(ty(&predicate.bounded_ty, owner), bound);
            }
        }
    }

    let list = |before: &str, of: Vec<String>, behind: &str| match of.is_empty() {
        true => String::new(),
        false => format!("{before}{}{behind}", of.join(", ")),
    };
    let bounds = list(" where ", Vec::from_iter(bounds), "");
    (list("<", names, ">"), bounds)
}

/// Gives the type parameters of a function names by their order.
struct Rename(Vec<(Ident, Ident)>);

impl Rename {
    fn new(generics: &Generics) -> Self {
        let names = generics.type_params().zip(1..).map(|(param, number)| {
            let old = param.ident.clone();
            let new = format_ident!("G{number}", span = old.span());
            (old, new)
        });
        Self(names.collect())
    }

    fn rename(&self, ident: &mut Ident) {
        if let Some((_, new)) = self.0.iter().find(|(old, _)| old == ident) {
            *ident = new.clone();
        }
    }
}

impl VisitMut for Rename {
    fn visit_type_param_mut(&mut self, param: &mut TypeParam) {
        self.rename(&mut param.ident);
        visit_mut::visit_type_param_mut(self, param);
    }

    fn visit_type_path_mut(&mut self, path: &mut TypePath) {
        if let Some(first) = path.path.segments.first_mut() {
            self.rename(&mut first.ident);
        }
        visit_mut::visit_type_path_mut(self, path);
    }
}

/// Returns the signature of a function.
pub(super) fn function(sig: &Signature, owner: Option<&Owner>) -> String {
    let mut sig = sig.clone();
    Rename::new(&sig.generics).visit_signature_mut(&mut sig);

    let (names, bounds) = split(&sig.generics, owner);
    let inputs: Vec<_> = sig
        .inputs
        .iter()
        .map(|input| match input {
            FnArg::Typed(input) => ty(&input.ty, owner),
            FnArg::Receiver(receiver) => match (&receiver.reference, receiver.mutability) {
                (Some(_), Some(_)) => "&mut self".into(),
                (Some(_), None) => "&self".into(),
                _ if receiver.colon_token.is_some() => {
                    format!("self: {}", ty(&receiver.ty, owner))
                }
                _ => "self".into(),
            },
        })
        .collect();
    let output = match &sig.output {
        ReturnType::Default => String::new(),
        ReturnType::Type(_, output) => match ty(output, owner).as_str() {
            "()" => String::new(),
            output => format!(" -> {output}"),
        },
    };

    let mut words = String::new();
    if sig.constness.is_some() {
        words.push_str("const ");
    }
    if sig.unsafety.is_some() {
        words.push_str("unsafe ");
    }
    format!(
        "{words}fn {}{names}({}){output}{bounds}",
        sig.ident,
        inputs.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        let item: syn::ItemFn = syn::parse_str(&format!("{text} {{ }}")).unwrap();
        let owner = Owner::new(&syn::parse_str("Box<T, A>").unwrap());
        function(&item.sig, owner.as_ref())
    }

    #[test]
    fn what_callers_cannot_tell_apart_is_the_same() {
        for (one, other) in [
            (
                "pub fn new(x: T, flags: Flags) -> Result<Self, AllocError>",
                "fn new(value: T, gfp: crate::alloc::Flags) -> core::result::Result<Box<T, A>, AllocError>",
            ),
            (
                "fn wait<T: ?Sized, B: Backend>(guard: &mut Guard<'_, T, B>)",
                "fn wait<'a, T, B>(guard: &'a mut Guard<'a, T, B>) -> () where B: Backend, T: ?Sized",
            ),
            (
                "fn load<O: Relaxed>(&self, order: O)",
                "fn load<Relaxed: ordering::Relaxed>(&self, _: Relaxed)",
            ),
            (
                "fn name(&self) -> &CStr",
                "fn name<'a>(&'a self) -> &'a core::ffi::CStr",
            ),
        ] {
            assert_eq!(of(one), of(other));
        }
    }

    #[test]
    fn what_callers_can_tell_apart_differs() {
        for (one, other) in [
            ("fn f(&self)", "fn f(&mut self)"),
            ("fn f(self)", "fn f(&self)"),
            ("fn f(x: u32)", "fn f(x: u64)"),
            ("fn f()", "unsafe fn f()"),
            ("const fn f()", "fn f()"),
            ("fn f<T: Send>(x: T)", "fn f<T: Sync>(x: T)"),
            ("fn f(x: *const T)", "fn f(x: *mut T)"),
            ("fn f() -> B::State", "fn f() -> State"),
        ] {
            assert_ne!(of(one), of(other));
        }
    }

    #[test]
    fn reads_as_code() {
        assert_eq!(
            of("unsafe fn from_raw<'a>(ptr: *mut B::State) -> Result<&'a Self, E> where E: From<Error>"),
            "unsafe fn from_raw(*mut B::State) -> Result<&Box<T, A>, E> where E: From<Error>"
        );
    }
}
