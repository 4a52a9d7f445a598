// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Signatures in a form in which two of them can be compared.
//!
//! Differences that a caller cannot see are removed. Paths are the last name only, lifetimes and
//! the names of parameters are left out, and `Self` is the type. Bounds are in `where` clauses, in
//! the order of their text. The type parameters of a function are called `G1`, `G2` and so on.

use quote::{format_ident, quote, ToTokens};
use std::{collections::BTreeMap, mem};
use syn::{
    parse_quote,
    punctuated::Punctuated,
    visit_mut::{self, VisitMut},
    FnArg, GenericArgument, GenericParam, Generics, Ident, Path, PathArguments, ReturnType,
    Signature, Type, TypeParamBound, TypePath, WherePredicate,
};

/// Writes signatures in one way.
#[derive(Default)]
struct Normal {
    /// The type that a function belongs to.
    owner: Option<Type>,
    /// The new names of type parameters.
    names: BTreeMap<Ident, Ident>,
}

impl VisitMut for Normal {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if let (Type::Path(path), Some(owner)) = (&*ty, &self.owner) {
            if path.qself.is_none() && path.path.is_ident("Self") {
                *ty = owner.clone();
            }
        }
        visit_mut::visit_type_mut(self, ty);

        if let Type::Reference(reference) = ty {
            reference.lifetime = None;
        }
    }

    fn visit_type_path_mut(&mut self, path: &mut TypePath) {
        let first = path.path.segments.first_mut();
        let is_of_self = first.is_some_and(|first| {
            if let Some(new) = self.names.get(&first.ident) {
                first.ident = new.clone();
            }
            first.ident == "Self"
        });
        visit_mut::visit_type_path_mut(self, path);
        // An associated type keeps what it belongs to.
        if path.qself.is_none() && !is_of_self {
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
            let args = angle.args.iter();
            let args = args.filter(|argument| !matches!(argument, GenericArgument::Lifetime(_)));
            angle.args = args.cloned().collect();
            if angle.args.is_empty() {
                *arguments = PathArguments::None;
            }
        }
    }

    /// Leaves names without attributes, and moves each bound to a predicate of its own.
    fn visit_generics_mut(&mut self, generics: &mut Generics) {
        let params = mem::take(&mut generics.params).into_iter();
        let params = params.filter(|param| !matches!(param, GenericParam::Lifetime(_)));
        generics.params = params.collect();
        let mut bounds = Vec::new();
        for param in generics.type_params_mut() {
            param.attrs.clear();
            let ident = &param.ident;
            bounds.push((parse_quote!(#ident), mem::take(&mut param.bounds)));
            if let Some(new) = self.names.get(&param.ident) {
                param.ident = new.clone();
            }
        }
        let clause = generics.where_clause.take();
        for predicate in clause.into_iter().flat_map(|clause| clause.predicates) {
            if let WherePredicate::Type(it) = predicate {
                bounds.push((it.bounded_ty, it.bounds));
            }
        }

        visit_mut::visit_generics_mut(self, generics);
        let mut predicates = BTreeMap::new();
        for (mut ty, bounds) in bounds {
            self.visit_type_mut(&mut ty);
            for mut bound in bounds {
                if !matches!(bound, TypeParamBound::Lifetime(_)) {
                    self.visit_type_param_bound_mut(&mut bound);
                    let predicate: WherePredicate = parse_quote!(#ty: #bound);
                    predicates.insert(text(&predicate), predicate);
                }
            }
        }
        if !predicates.is_empty() {
            generics.make_where_clause().predicates = predicates.into_values().collect();
        }
    }
}

/// Leaves the last name of a path, unless an earlier one is a type parameter.
fn shorten(path: &mut Path) {
    let first = path.segments.first();
    let is_parameter = first.is_some_and(|first| first.ident.to_string().len() <= 2);
    if is_parameter && path.segments.len() == 2 {
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

/// Returns the name of a type, if it has one.
pub(super) fn name(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) => Some(path.path.segments.last()?.ident.to_string()),
        _ => None,
    }
}

/// Returns a type, which belongs to an item of `owner`.
pub(super) fn ty(ty: &Type, owner: Option<&Type>) -> String {
    let owner = owner.cloned();
    let mut normal = Normal {
        owner,
        ..Normal::default()
    };
    let mut ty = ty.clone();
    normal.visit_type_mut(&mut ty);
    text(ty)
}

pub(super) fn constant(ident: &Ident, of: &Type, owner: Option<&Type>) -> String {
    format!("const {ident}: {}", ty(of, owner))
}

/// Returns an item up to its body: the name, and generics without lifetimes.
pub(super) fn header(keyword: &str, ident: &Ident, generics: &Generics) -> String {
    let mut generics = generics.clone();
    Normal::default().visit_generics_mut(&mut generics);
    let clause = &generics.where_clause;
    format!("{keyword} {}", text(quote!(#ident #generics #clause)))
}

/// Returns the signature of a function.
pub(super) fn function(sig: &Signature, owner: Option<&Type>) -> String {
    let names = sig.generics.type_params().zip(1..).map(|(param, number)| {
        let new = format_ident!("G{number}", span = param.ident.span());
        (param.ident.clone(), new)
    });
    let mut normal = Normal {
        owner: owner.cloned(),
        names: names.collect(),
    };
    let mut sig = sig.clone();
    normal.visit_signature_mut(&mut sig);

    let inputs = sig.inputs.iter().map(|input| match input {
        FnArg::Typed(input) => input.ty.to_token_stream(),
        FnArg::Receiver(it) if it.colon_token.is_some() => {
            let ty = &it.ty;
            quote!(self: #ty)
        }
        FnArg::Receiver(it) => {
            let reference = it.reference.as_ref().map(|(and, _)| {
                let mutability = it.mutability;
                quote!(#and #mutability)
            });
            quote!(#reference self)
        }
    });
    let output = match &sig.output {
        ReturnType::Type(_, ty) if matches!(&**ty, Type::Tuple(it) if it.elems.is_empty()) => None,
        output => Some(output),
    };
    let (constness, unsafety, ident, generics) =
        (&sig.constness, &sig.unsafety, &sig.ident, &sig.generics);
    let clause = &generics.where_clause;
    text(quote!(#constness #unsafety fn #ident #generics (#(#inputs),*) #output #clause))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        let item: syn::ItemFn = syn::parse_str(&format!("{text} {{ }}")).unwrap();
        function(&item.sig, Some(&parse_quote!(Box<T, A>)))
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
                "fn load<#[a] O: Relaxed>(&self, order: O)",
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
