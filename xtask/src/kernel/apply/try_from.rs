// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `rust/kernel/{i2c,pci,platform}.rs`: the device of a bus that `TryFrom` returns does not outlive
//! the device that it was found from.

use super::source::Source;
use anyhow::{ensure, Context, Result};
use syn::{
    FnArg, GenericArgument, ImplItem, ImplItemFn, Item, ItemImpl, PathArguments, Type,
    TypeReference,
};

/// The files that have such an implementation.
pub(super) const BUSES: [&str; 3] = [
    "rust/kernel/i2c.rs",
    "rust/kernel/pci.rs",
    "rust/kernel/platform.rs",
];

/// Gives both sides of the implementation one lifetime.
pub(super) fn one_lifetime(text: &str) -> Result<String> {
    let source = Source::parse(text)?;
    let (item, from) = source
        .items()
        .iter()
        .find_map(|item| match item {
            Item::Impl(item) => Some((item, converted(item)?)),
            _ => None,
        })
        .context("there is no `impl TryFrom<&device::Device<Ctx>>`")?;
    let to = reference(&item.self_ty).context("`TryFrom` makes no reference")?;
    let parameter = item
        .items
        .iter()
        .find_map(|item| match item {
            ImplItem::Fn(function) => argument(function),
            _ => None,
        })
        .context("`try_from()` takes no reference")?;

    let references = [from, to, parameter];
    ensure!(
        references.iter().all(|it| it.lifetime.is_none()),
        "`TryFrom` has a lifetime that is named"
    );
    let generics = item
        .generics
        .lt_token
        .context("`TryFrom` is not generic over the context")?;
    let behind = references
        .map(|reference| source.range(&reference.and_token).end)
        .map(|at| (at, "'a "));
    let first = (source.range(&generics).end, "'a, ");
    for (at, lifetime) in behind.into_iter().chain([first]) {
        source.insert(at, lifetime);
    }

    Ok(source.finish())
}

/// Returns the type that `TryFrom` converts from, if it is a reference to a device.
fn converted(item: &ItemImpl) -> Option<&TypeReference> {
    let (_, of, _) = item.trait_.as_ref()?;
    let last = of.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    let [GenericArgument::Type(from)] = Vec::from_iter(&arguments.args)[..] else {
        return None;
    };
    let from = reference(from)?;
    let Type::Path(path) = &*from.elem else {
        return None;
    };
    let is_device = path.path.segments.last()?.ident == "Device";

    (last.ident == "TryFrom" && is_device).then_some(from)
}

fn reference(ty: &Type) -> Option<&TypeReference> {
    match ty {
        Type::Reference(reference) => Some(reference),
        _ => None,
    }
}

/// The type of the argument, if that is a reference.
fn argument(function: &ImplItemFn) -> Option<&TypeReference> {
    match function.sig.inputs.first()? {
        FnArg::Typed(argument) => reference(&argument.ty),
        FnArg::Receiver(_) => None,
    }
}

/// The implementation as a tree has it, in short.
#[cfg(test)]
pub(super) const TRY_FROM: &str = "\
impl TryFrom<u32> for Class {}

impl<Ctx: device::DeviceContext> TryFrom<&device::Device<Ctx>> for &Device<Ctx> {
    type Error = Error;

    fn try_from(dev: &device::Device<Ctx>) -> Result<Self, Self::Error> {
        Ok(unsafe { &*dev.cast() })
    }
}
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_lifetime_for_both() {
        let text = one_lifetime(TRY_FROM).unwrap();

        assert!(text.contains(
            "impl<'a, Ctx: device::DeviceContext> TryFrom<&'a device::Device<Ctx>> \
             for &'a Device<Ctx> {\n"
        ));
        assert!(text.contains("fn try_from(dev: &'a device::Device<Ctx>) -> Result<Self"));
        assert!(text.starts_with("impl TryFrom<u32> for Class {}\n"));
    }

    #[test]
    fn another_implementation_is_refused() {
        for (from, to) in [
            ("<&device", "<&'static device"),
            ("for &Device", "for Device"),
            ("dev: &device", "dev: &'static device"),
            ("device::Device", "device::Driver"),
        ] {
            assert!(one_lifetime(&TRY_FROM.replace(from, to)).is_err(), "{to}");
        }
        // It is edited once.
        let text = one_lifetime(TRY_FROM).unwrap();
        assert!(one_lifetime(&text).is_err());
    }
}
