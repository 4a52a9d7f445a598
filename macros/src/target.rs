// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the accessor lends, in the places where rustc reads it.
//!
//! A type may come in parentheses, or in the group that a `$t:ty` leaves. A trait object with a `+`
//! needs parentheses behind a `&`, and is not to have any between angle brackets.

use proc_macro2::TokenStream;
use quote::{
    quote,
    ToTokens, //
};
use syn::{
    visit::{
        self,
        Visit, //
    },
    Type, //
};

/// The type itself.
pub(crate) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        ty => ty,
    }
}

/// The type behind a `&'a`.
pub(crate) fn referred(ty: &Type) -> TokenStream {
    let bare = bare(ty);
    let bounds = match bare {
        Type::TraitObject(object) => Some(&object.bounds),
        Type::ImplTrait(of) => Some(&of.bounds),
        _ => None,
    };

    // A `+` may also be the last one.
    if bounds.is_some_and(|bounds| bounds.len() > 1 || bounds.trailing_punct()) {
        quote!((#bare))
    } else {
        bare.to_token_stream()
    }
}

/// How often the resource is dereferenced before rustc is to find the target by itself.
///
/// A `&Box<dyn Ops>` is a `&dyn Ops` to rustc: that of the box, not that of what is in it. A field is
/// never a trait object itself, so it is dereferenced; as often as there are types around the trait
/// object, where one can see it in the field's type.
pub(crate) fn depth(resource: &Type, target: &Type) -> usize {
    if !matches!(bare(target), Type::TraitObject(_)) {
        return 0;
    }

    let mut search = Search::default();
    search.visit_type(resource);
    search.found.unwrap_or(1)
}

/// Looks for the first trait object in a type.
#[derive(Default)]
struct Search {
    depth: usize,
    found: Option<usize>,
}

impl<'a> Visit<'a> for Search {
    fn visit_type(&mut self, ty: &'a Type) {
        let ty = bare(ty);
        if let Type::TraitObject(_) = ty {
            self.found.get_or_insert(self.depth);
            return;
        }

        let outer = self.depth;
        if !is_pin(ty) {
            self.depth += 1;
        }
        visit::visit_type(self, ty);
        self.depth = outer;
    }
}

/// Whether this is a `Pin<..>`, which derefs to what the pointer in it does.
fn is_pin(ty: &Type) -> bool {
    let Type::Path(ty) = ty else {
        return false;
    };

    ty.path
        .segments
        .last()
        .is_some_and(|last| last.ident == "Pin")
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn types_around_the_trait_object_are_counted() {
        let depth = |resource: Type, target: Type| depth(&resource, &target);

        assert_eq!(depth(parse_quote!(Box<Table>), parse_quote!(Table)), 0);
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
    fn only_a_plus_needs_parentheses() {
        let referred = |ty: Type| referred(&ty).to_string();

        assert_eq!(referred(parse_quote!(dyn Ops + Send)), "(dyn Ops + Send)");
        assert_eq!(referred(parse_quote!((dyn Ops + Send))), "(dyn Ops + Send)");
        assert_eq!(referred(parse_quote!(dyn Ops+)), "(dyn Ops +)");
        assert_eq!(referred(parse_quote!(impl Ops + Send)), "(impl Ops + Send)");
        assert_eq!(referred(parse_quote!((dyn Ops))), "dyn Ops");
        assert_eq!(referred(parse_quote!((Table))), "Table");
    }
}
