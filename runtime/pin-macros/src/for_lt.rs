// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `ForLt!` and `CovariantForLt!`: a type that is generic over a lifetime.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{
    parse::{Parse, ParseStream},
    visit::{self, Visit},
    visit_mut::{self, VisitMut},
    Lifetime, Result, Token, Type, TypeReference,
};

/// The input: `for<'a> Type`, or a type in which lifetimes are left out.
struct Input {
    lifetime: Lifetime,
    ty: Type,
}

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.peek(Token![for]) {
            input.parse::<Token![for]>()?;
            input.parse::<Token![<]>()?;
            let lifetime = input.parse()?;
            input.parse::<Token![>]>()?;
            return Ok(Self {
                lifetime,
                ty: input.parse()?,
            });
        }

        let lifetime = Lifetime::new("'__elided", Span::mixed_site());
        let mut ty = input.parse()?;
        Name(&lifetime).visit_type_mut(&mut ty);
        Ok(Self { lifetime, ty })
    }
}

/// Names the lifetimes that are left out.
struct Name<'a>(&'a Lifetime);

impl VisitMut for Name<'_> {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" {
            *lifetime = self.0.clone();
        }
    }

    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        visit_mut::visit_type_reference_mut(self, reference);
        reference.lifetime.get_or_insert_with(|| self.0.clone());
    }
}

/// Puts one lifetime in place of another.
struct Replace<'a>(&'a Lifetime, Lifetime);

impl VisitMut for Replace<'_> {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == self.0.ident {
            *lifetime = self.1.clone();
        }
    }
}

/// Whether a type has the lifetime in it.
fn has(ty: &Type, lifetime: &Lifetime) -> bool {
    struct Has<'a>(&'a Lifetime, bool);

    impl Visit<'_> for Has<'_> {
        fn visit_lifetime(&mut self, lifetime: &Lifetime) {
            self.1 |= lifetime.ident == self.0.ident;
        }

        // Its content is not known.
        fn visit_macro(&mut self, _: &syn::Macro) {
            self.1 = true;
        }
    }

    let mut found = Has(lifetime, false);
    visit::visit_type(&mut found, ty);
    found.1
}

/// Collects the parts of a type of which the compiler has to say whether they are well-formed for
/// each lifetime, and covariant. Of the others the syntax says so, which works with generics too.
fn to_prove<'a>(ty: &'a Type, lifetime: &Lifetime, parts: &mut Vec<&'a Type>) {
    match ty {
        ty if !has(ty, lifetime) => (),
        Type::Paren(ty) => to_prove(&ty.elem, lifetime, parts),
        Type::Group(ty) => to_prove(&ty.elem, lifetime, parts),
        Type::Array(ty) => to_prove(&ty.elem, lifetime, parts),
        Type::Slice(ty) => to_prove(&ty.elem, lifetime, parts),
        Type::Tuple(ty) => {
            for elem in &ty.elems {
                to_prove(elem, lifetime, parts);
            }
        }
        Type::Ptr(ty) if ty.mutability.is_none() => to_prove(&ty.elem, lifetime, parts),
        Type::Reference(ty)
            if ty.mutability.is_none()
                && ty.lifetime.as_ref().map(|lt| &lt.ident) == Some(&lifetime.ident) =>
        {
            to_prove(&ty.elem, lifetime, parts);
        }
        Type::Reference(ty) if !has(&ty.elem, lifetime) => (),
        ty => parts.push(ty),
    }
}

pub(crate) fn expand(input: TokenStream, covariant: bool) -> Result<TokenStream> {
    let Input { lifetime, ty } = syn::parse2(input)?;

    let mut parts = Vec::new();
    to_prove(&ty, &lifetime, &mut parts);
    let proofs = parts.into_iter().enumerate().map(|(i, part)| {
        let well_formed = format_ident!("WellFormed{i}");
        let prove = format_ident!("covariant_{i}");
        let covariance = covariant.then(|| {
            quote! {
                fn #prove<'__short, '__long: '__short>(
                    long: #well_formed<'__long>,
                ) -> #well_formed<'__short> {
                    long
                }
            }
        });
        // A struct, since the arguments of a function are taken to be well-formed.
        quote! {
            struct #well_formed<#lifetime>(::core::marker::PhantomData<&#lifetime ()>, #part);
            #covariance
        }
    });

    let mut of_static = ty.clone();
    Replace(&lifetime, Lifetime::new("'static", Span::mixed_site())).visit_type_mut(&mut of_static);
    let n = usize::from(covariant);

    Ok(quote! {
        ::kernel::types::for_lt::UnsafeForLtImpl::<
            dyn for<#lifetime> ::kernel::types::for_lt::WithLt<#lifetime, Of = #ty>,
            #of_static,
            {
                #( #proofs )*
                #n
            }
        >
    })
}
