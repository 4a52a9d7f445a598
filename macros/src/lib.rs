// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The attribute macro `#[devres_lazy]`. Use it through the crate `devres-lazy`, which documents
//! the types that the generated code is made of.
//!
//! Only this file knows `proc_macro`. The folder `devres_lazy/` does the work.

mod devres_lazy;

use proc_macro::TokenStream;

/// Turns the fields annotated with `#[lazy(..)]` into slots, and writes their accessors. A slot is
/// mapped on first use, belongs to one device, and is revoked when that device's driver is unbound.
///
/// Place the attribute above `#[pin_data]`. The object's constructor initialises each lazy field in
/// place, with `field <- new_lazy!()`.
///
/// # Options of the attribute
///
/// - `crate = path`: where the runtime is, if not at `::kernel`.
///
/// # Keys of `#[lazy(..)]`
///
/// - `[vis] fn name [-> Target]`: the accessor,
///   `name(&self, dev: &Device<Bound>) -> Result<&Target>`.
///   `Target` is the field's type, which is the default, or the type that the field derefs to. A
///   trait object is such a type, as in `fn ops -> dyn Ops + Send` for a `KBox<dyn Ops + Send>`.
///   The slow path is a private function `name_slow`.
/// - `device = expr`: the `&Device` that this object belongs to: any expression over `self`, which
///   may borrow from a temporary. Evaluated on the slow path, and by `peek` if nothing is mapped,
///   in a private function `name_device_is`. The expression cannot use `dev` or `?`.
/// - `init = expr`, of an `init` field: an initialiser of the field's type, any expression over
///   `self` and `dev`, the device that the caller passed. Evaluated by one caller at a time, after
///   every check. `?` returns from the accessor. The slot stores the resource inline: a resource of
///   more than 256 bytes belongs in a box, `KBox<T>`, with `T` as the target.
///   A resource that borrows the bound device has a type such as `ForLt!(Bar<'_>)`, or `Bar<'_>` if
///   `Bar<'static>` implements `ForLt`. The slot is a `LazyLt`, and the target `Bar<'_>` lives as
///   long as `dev` is borrowed. `init` has to compile for every lifetime of `dev`, so the resource
///   borrows from `dev` and from nothing else. Not together with `map` and `try_access`.
/// - `map = Marker`, of a `map` field: the field's type is `Mapped<Self, Marker>`, a view into this
///   object, and `Marker` implements `Map<Self>`. Fields with the same marker write the marker in
///   the same way.
/// - `peek = name`: `name(&self, dev: &Device<Bound>) -> Result<Option<&Target>>`. Never sleeps,
///   never maps.
/// - `try_access = name`: `name(&self) -> Option<LazyGuard<'_, Resource>>`. Needs no bound device;
///   an RCU read-side critical section.
/// - `revoke = name`: `name(self: Pin<&mut Self>)`. Unmaps now.
/// - `evict = name`: `name(&self) -> Result<bool>`. Unmaps now, unless the resource is in use. The
///   accessor and `peek` return a `LazyPin` in place of the reference, and the constructor uses
///   `new_evictable_lazy!()`. Not together with `try_access`.
///
/// # Attributes of the field
///
/// - `cfg`, also in a `cfg_attr`: the generated functions have the same condition.
/// - Documentation, `doc(hidden)` and `doc(alias)`: the accessor has the same.
/// - `deprecated`: moves from the field to the accessors, so that the object can be constructed.
/// - `allow`, `warn` and `expect`: apply to the code generated from the field too. Lint attributes
///   of the struct apply to all generated code. An `expect` becomes an `allow`, as the lint may
///   fire in one place and not in another.
///
/// # Teardown
///
/// The destructor of the struct starts by revoking its slots, the last declared first. If the
/// struct has a destructor of its own, `#[pin_data(PinnedDrop)]`, place `#[devres_lazy]` above the
/// `#[pinned_drop]` of its `impl PinnedDrop` too. The macro then puts the teardown before the body,
/// which becomes a block of its own. An `impl Drop` for the struct does not compile (E0119), as
/// `#[pin_data]` implements `Drop`.
///
/// Fields that depend on each other are declared in order of dependency, starting with the field
/// that the others need. `devres::Lazy` has the rules for resources and their destructors.
#[proc_macro_attribute]
pub fn devres_lazy(args: TokenStream, item: TokenStream) -> TokenStream {
    devres_lazy::expand(args.into(), item.into()).into()
}
