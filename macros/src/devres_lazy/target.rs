// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The target of the accessor, as rustc accepts the type in each place.
//!
//! A type may come in parentheses, or in the group that a `$t:ty` leaves. A trait object with a `+`
//! needs parentheses behind a `&`, and is not to have any between angle brackets.

use proc_macro2::TokenStream;
use quote::{
    quote,
    ToTokens, //
};
use syn::{
    punctuated::Punctuated,
    GenericArgument,
    Ident,
    PathArguments,
    Token,
    Type,
    TypeParamBound, //
};

/// The type itself.
pub(crate) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        ty => ty,
    }
}

/// The type between angle brackets, without a `+` at its end.
pub(crate) fn plain(ty: &Type) -> Type {
    let mut ty = bare(ty).clone();
    if let Some(bounds) = bounds(&mut ty) {
        bounds.pop_punct();
    }

    ty
}

/// The type behind a `&'a`.
pub(crate) fn referred(ty: &Type) -> TokenStream {
    let mut ty = plain(ty);
    let has_plus = bounds(&mut ty).is_some_and(|bounds| bounds.len() > 1);

    if has_plus {
        quote!((#ty))
    } else {
        ty.into_token_stream()
    }
}

/// The bounds of a type that has them.
fn bounds(ty: &mut Type) -> Option<&mut Punctuated<TypeParamBound, Token![+]>> {
    match ty {
        Type::ImplTrait(of) => Some(&mut of.bounds),
        Type::TraitObject(object) => Some(&mut object.bounds),
        _ => None,
    }
}

/// How often the resource is dereferenced before rustc is to find the target by itself.
///
/// Rustc turns a `&Box<dyn Ops>` into a `&dyn Ops` of the box, not of the object in it. So
/// pointers are dereferenced down to the target, which may be the name of a trait object. A field
/// is never a trait object itself: where none of the known pointers leads to it, the field is
/// dereferenced once.
pub(crate) fn depth(resource: &Type, target: &Type) -> usize {
    let target = bare(target);
    let is_object = |ty: &Type| matches!(ty, Type::TraitObject(_));

    let (mut ty, mut depth) = (bare(resource), 0);
    loop {
        if is_same(ty, target) || (is_object(ty) && is_object(target)) {
            return depth;
        }
        match pointee(ty) {
            Some(pointee) => ty = bare(pointee),
            None => break,
        }
        depth += 1;
    }

    if is_object(target) {
        depth.max(1)
    } else {
        0
    }
}

/// Whether a type is written as the accessor returns it: `Result<&Target>`, or a part of that. A
/// reference with a lifetime is a target.
pub(crate) fn is_wrapped(ty: &Type) -> bool {
    match bare(ty) {
        Type::Reference(reference) => reference.lifetime.is_none(),
        ty => arguments(ty, "Result").is_some(),
    }
}

/// `M` of a type that is written `Mapped<O, M>`, with `Self` or the name of the owner for `O`.
pub(crate) fn marker_of_view<'a>(ty: &'a Type, owner: &Ident) -> Option<&'a Type> {
    let args = arguments(ty, "Mapped")?;
    let [GenericArgument::Type(Type::Path(of)), GenericArgument::Type(marker)] = args[..] else {
        return None;
    };
    let of = &of.path.segments.last()?.ident;

    (of == "Self" || of == owner).then_some(marker)
}

/// The arguments of a type that is written `name<..>`, by whatever path.
fn arguments<'a>(ty: &'a Type, name: &str) -> Option<Vec<&'a GenericArgument>> {
    let Type::Path(path) = bare(ty) else {
        return None;
    };
    let last = path.path.segments.last()?;

    match &last.arguments {
        PathArguments::AngleBracketed(args) if last.ident == name => {
            Some(args.args.iter().collect())
        }
        _ => None,
    }
}

/// Whether two types are written the same.
pub(crate) fn is_same(a: &Type, b: &Type) -> bool {
    a.to_token_stream().to_string() == b.to_token_stream().to_string()
}

/// The type that a reference or a well-known smart pointer points to.
fn pointee(ty: &Type) -> Option<&Type> {
    const POINTERS: [&str; 7] = ["ARef", "Arc", "Box", "KBox", "KVBox", "Rc", "VBox"];

    let path = match ty {
        Type::Path(path) => &path.path,
        Type::Reference(reference) => return Some(&reference.elem),
        _ => return None,
    };
    let last = path.segments.last()?;
    let PathArguments::AngleBracketed(args) = &last.arguments else {
        return None;
    };
    let first = args.args.iter().find_map(|arg| match arg {
        GenericArgument::Type(ty) => Some(bare(ty)),
        _ => None,
    })?;

    if last.ident == "Pin" {
        return pointee(first);
    }
    let is_pointer = POINTERS.iter().any(|name| last.ident == name);
    is_pointer.then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn pointers_to_the_target_are_counted() {
        let depth = |resource: Type, target: Type| depth(&resource, &target);

        assert_eq!(depth(parse_quote!(Table), parse_quote!(Table)), 0);
        assert_eq!(depth(parse_quote!(Box<Table>), parse_quote!(Table)), 1);
        assert_eq!(depth(parse_quote!(Vec<Table>), parse_quote!([Table])), 0);
        assert_eq!(depth(parse_quote!(Box<Alias>), parse_quote!(Other)), 0);
        assert_eq!(
            depth(
                parse_quote!(Arc<&'static (dyn Ops + Sync)>),
                parse_quote!(dyn Ops)
            ),
            2
        );
        assert_eq!(
            depth(
                parse_quote!(Tagged<Box<dyn Send>, Real>),
                parse_quote!(dyn Ops)
            ),
            1
        );
        assert_eq!(depth(parse_quote!(Arc<Shared>), parse_quote!(dyn Ops)), 1);
        assert_eq!(depth(parse_quote!(Box<dyn Ops>), parse_quote!(dyn Ops)), 1);
        assert_eq!(
            depth(
                parse_quote!(Arc<Box<dyn Ops + Send>>),
                parse_quote!((dyn Ops))
            ),
            2
        );
        assert_eq!(
            depth(parse_quote!(Pin<KBox<dyn Ops>>), parse_quote!(dyn Ops)),
            1
        );
        assert_eq!(
            depth(
                parse_quote!(Box<dyn Fn(Box<dyn Ops>)>),
                parse_quote!(dyn Fn(Box<dyn Ops>))
            ),
            1
        );
        assert_eq!(depth(parse_quote!(Alias), parse_quote!(dyn Ops)), 1);
    }

    #[test]
    fn views_are_recognised() {
        let marker = |ty: Type| {
            let owner = parse_quote!(Queue);
            marker_of_view(&ty, &owner).map(|marker| marker.to_token_stream().to_string())
        };

        let found = Some("Marker".to_owned());
        assert_eq!(marker(parse_quote!(Mapped<Self, Marker>)), found);
        assert_eq!(
            marker(parse_quote!(devres::Mapped<Queue<T>, Marker>)),
            found
        );
        assert_eq!(marker(parse_quote!((Mapped<super::Queue, Marker>))), found);
        assert_eq!(marker(parse_quote!(Mapped<Other, Marker>)), None);
        assert_eq!(marker(parse_quote!(Mapped<Self>)), None);
        assert_eq!(marker(parse_quote!(Mapped<Self, 3>)), None);
        assert_eq!(marker(parse_quote!(Unmapped<Self, Marker>)), None);
        assert_eq!(marker(parse_quote!(Mapped)), None);
        assert_eq!(marker(parse_quote!([Mapped<Self, Marker>; 2])), None);
    }

    #[test]
    fn a_target_is_no_result() {
        for ty in [
            parse_quote!(&Table),
            parse_quote!(Result<Table>),
            parse_quote!((kernel::error::Result<(&Table)>)),
        ] {
            assert!(is_wrapped(&ty));
        }
        for ty in [
            parse_quote!(Table),
            parse_quote!(&'static Table),
            parse_quote!(Results<Table>),
        ] {
            assert!(!is_wrapped(&ty));
        }
    }

    #[test]
    fn only_a_plus_needs_parentheses() {
        let referred = |ty: Type| referred(&ty).to_string();

        assert_eq!(referred(parse_quote!(dyn Ops + Send)), "(dyn Ops + Send)");
        assert_eq!(referred(parse_quote!((dyn Ops + Send))), "(dyn Ops + Send)");
        assert_eq!(referred(parse_quote!(dyn Ops+)), "dyn Ops");
        assert_eq!(referred(parse_quote!(impl Ops + Send)), "(impl Ops + Send)");
        assert_eq!(referred(parse_quote!((dyn Ops))), "dyn Ops");
        assert_eq!(referred(parse_quote!((Table))), "Table");
    }
}
