// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Resources that borrow the bound device. Their type is written without the device's lifetime:
//! `ForLt!(Bar<'_>)`, or `Bar<'_>` if `Bar<'static>` implements `ForLt` itself.
//!
//! No other field of a struct can have a type with `'_` in it.

use super::target;
use proc_macro2::Span;
use syn::{
    parse::{
        ParseStream,
        Parser, //
    },
    visit_mut::{
        self,
        VisitMut, //
    },
    Lifetime,
    Macro,
    ParenthesizedGenericArguments,
    Result,
    Token,
    Type,
    TypeBareFn,
    TypeReference, //
};

/// A resource that borrows the bound device.
pub(crate) struct Borrowing {
    /// The type that implements `ForLt`.
    pub(crate) family: Type,
    /// The type of the resource, with `'_` for the lifetime of the device.
    pub(crate) resource: Type,
}

impl Borrowing {
    /// Returns the types that a lazy field's type stands for, if the resource borrows the device.
    pub(crate) fn of(field: &Type) -> Result<Option<Self>> {
        if let Some(family) = for_lt(field) {
            return Ok(Some(Self {
                family: field.clone(),
                resource: argument(family)?,
            }));
        }

        let mut family = field.clone();
        let mut replace = Replace {
            from: "_",
            to: &Lifetime::new("'static", Span::call_site()),
            behind_references: false,
        };
        replace.visit_type_mut(&mut family);
        let is_elided = !target::is_same(&family, field);
        Ok(is_elided.then(|| Self {
            family,
            resource: field.clone(),
        }))
    }
}

/// Returns the type with `lifetime` in place of `'_`, and behind each `&` that has none.
pub(crate) fn with_lifetime(ty: &Type, lifetime: &Lifetime) -> Type {
    let mut ty = ty.clone();
    let mut replace = Replace {
        from: "_",
        to: lifetime,
        behind_references: true,
    };
    replace.visit_type_mut(&mut ty);

    ty
}

/// Returns the macro call if this is `ForLt!(..)` or `CovariantForLt!(..)`, by whatever path.
fn for_lt(ty: &Type) -> Option<&Macro> {
    let Type::Macro(ty) = target::bare(ty) else {
        return None;
    };
    let last = &ty.mac.path.segments.last()?.ident;

    (last == "ForLt" || last == "CovariantForLt").then_some(&ty.mac)
}

/// Returns the type in `ForLt!(..)`, with `'_` for the lifetime.
fn argument(family: &Macro) -> Result<Type> {
    let parser = |input: ParseStream<'_>| {
        if !input.peek(Token![for]) {
            return input.parse();
        }

        input.parse::<Token![for]>()?;
        input.parse::<Token![<]>()?;
        let lifetime: Lifetime = input.parse()?;
        input.parse::<Token![>]>()?;

        let mut ty = input.parse()?;
        let mut replace = Replace {
            from: &lifetime.ident.to_string(),
            to: &elided(),
            behind_references: false,
        };
        replace.visit_type_mut(&mut ty);
        Ok(ty)
    };

    parser.parse2(family.tokens.clone())
}

/// `'_`.
fn elided() -> Lifetime {
    Lifetime::new("'_", Span::call_site())
}

/// Puts one lifetime in place of another.
struct Replace<'a> {
    from: &'a str,
    to: &'a Lifetime,
    /// Whether it also goes where a reference has no lifetime.
    behind_references: bool,
}

impl VisitMut for Replace<'_> {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == self.from {
            *lifetime = self.to.clone();
        }
    }

    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        visit_mut::visit_type_reference_mut(self, reference);
        if self.behind_references {
            reference.lifetime.get_or_insert_with(|| self.to.clone());
        }
    }

    // In a function type, `'_` is a lifetime of the function's own.
    fn visit_type_bare_fn_mut(&mut self, _: &mut TypeBareFn) {}
    fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut ParenthesizedGenericArguments) {
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::ToTokens;
    use syn::parse_quote;

    fn text(ty: &Type) -> String {
        ty.to_token_stream().to_string().replace(' ', "")
    }

    #[test]
    fn families_are_recognised() -> Result<()> {
        let families = |ty: Type| -> Result<Option<(String, String)>> {
            let found = Borrowing::of(&ty)?;
            Ok(found.map(|found| (text(&found.family), text(&found.resource))))
        };
        let found = |family: &str, resource: &str| Some((family.to_owned(), resource.to_owned()));

        assert_eq!(
            families(parse_quote!(ForLt!(Bar<'_>)))?,
            found("ForLt!(Bar<'_>)", "Bar<'_>")
        );
        assert_eq!(
            families(parse_quote!((::kernel::types::CovariantForLt!(&u32))))?,
            found("(::kernel::types::CovariantForLt!(&u32))", "&u32")
        );
        assert_eq!(
            families(parse_quote!(types::ForLt!(for<'b> Pair<'b, &'b u32>)))?,
            found("types::ForLt!(for<'b>Pair<'b,&'bu32>)", "Pair<'_,&'_u32>")
        );
        assert_eq!(
            families(parse_quote!(ForLt!(for<'b> Ops<'b, fn(&'b u32)>)))?,
            found("ForLt!(for<'b>Ops<'b,fn(&'bu32)>)", "Ops<'_,fn(&'bu32)>")
        );
        assert_eq!(
            families(parse_quote!(Bar<'_, N>))?,
            found("Bar<'static,N>", "Bar<'_,N>")
        );
        assert_eq!(families(parse_quote!(Bar<'static>))?, None);
        assert_eq!(families(parse_quote!(fn(Bar<'_>)))?, None);
        assert_eq!(families(parse_quote!(Box<dyn Fn(Bar<'_>)>))?, None);
        assert_eq!(families(parse_quote!(vec!(Bar<'_>)))?, None);
        assert!(families(parse_quote!(ForLt!(3))).is_err());
        Ok(())
    }

    #[test]
    fn lifetimes_are_filled_in() {
        let with = |ty: Type| text(&with_lifetime(&ty, &parse_quote!('a)));

        assert_eq!(with(parse_quote!(Bar<'_>)), "Bar<'a>");
        assert_eq!(with(parse_quote!(&[&'b u32])), "&'a[&'bu32]");
        assert_eq!(with(parse_quote!(Ops<'_, fn(&u32)>)), "Ops<'a,fn(&u32)>");
    }
}
