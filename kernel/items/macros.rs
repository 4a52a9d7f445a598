// SPDX-License-Identifier: GPL-2.0

//! The attribute that is added to `rust/macros/lib.rs`.

/// Turns the fields annotated with `#[lazy(..)]` into slots. A slot stores a resource that is
/// mapped on first use, belongs to one device, and is revoked when that device's driver is unbound.
///
/// Place the attribute above `#[pin_data]`. The object's constructor initialises each lazy field in
/// place, with `field <- new_lazy!()`.
///
/// # Keys of `#[lazy(..)]`
///
/// - `[vis] fn name [-> Target]`: the accessor,
///   `name(&self, dev: &Device<Bound>) -> Result<&Target>`.
/// - `device = expr`: the `&Device` that this object belongs to, any expression over `self`.
/// - `init = expr`: an initialiser of the field's type, over `self` and `dev`; or `map = Marker`,
///   where the field's type is `Mapped<Self, Marker>` and `Marker` implements `Map<Self>`. Fields
///   with the same marker write the marker in the same way. The slot stores the resource inline: a
///   resource of more than 256 bytes belongs in a `KBox`.
/// - `peek = name`, `try_access = name`, `revoke = name`: further functions, all optional.
///
/// The functions that are generated from a field have the field's conditions and documentation. The
/// functions allow the lints that the field or the struct allows. If the field is deprecated, so
/// are the functions.
#[proc_macro_attribute]
pub fn devres_lazy(attr: TokenStream, input: TokenStream) -> TokenStream {
    devres_lazy::expand(attr.into(), input.into()).into()
}
