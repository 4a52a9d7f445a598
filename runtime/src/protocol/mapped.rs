// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `map` fields: a resource that is a view into the object that owns it.
//!
//! The host and the kernel compile this file, under the rule of `lazy`.
//!
//! The shmem scatter-gather table is such a resource: C code keeps the table in the object, makes
//! the table for the object, and frees it through the object. The slot holds a pointer to the table
//! and a pointer back to the owner. The author writes a function that maps and a function that
//! unmaps: see [`Map`].

use super::lazy::{
    Lazy,
    LazyOwner,
    Place,
    Placed,
    TeardownFirst, //
};
use crate::{
    device::{
        Bound,
        Device, //
    },
    prelude::*,
};
use core::{
    marker::PhantomData,
    ops::Deref,
    ptr::{
        self,
        NonNull, //
    },
};

/// Maps and unmaps a resource that is a view into its owner, an `O`.
///
/// Implemented for a marker type, which `#[lazy(.., map = Marker)]` names.
///
/// # Safety
///
/// - The pointer that [`map()`](Self::map) returns must be valid for shared access, from any
///   thread, until [`unmap()`](Self::unmap) is called with it.
/// - The destructor of `O` must begin with [`LazyOwner::teardown()`], so that an `O` is whole while
///   [`unmap()`](Self::unmap) uses it. `#[devres_lazy]` ensures this for the struct that it
///   annotates. A generic `impl Map<O>` must bound `O` by [`TeardownFirst`], which promises this of
///   a type; [`LazyOwner`] does not.
/// - Until [`unmap()`](Self::unmap) has returned, no code may write to a part of the owner, other
///   than by interior mutability, or make an exclusive reference to a part that is [`Unpin`].
///   Unbind may be unmapping on another thread, also while the owner is exclusively borrowed. In
///   particular, no code calls the owner's `project()`, which `#[pin_data]` makes as visible as the
///   struct: where the struct is public, its users get shared references to an `O` only.
///
/// # Rules for authors
///
/// - Everything that [`unmap()`](Self::unmap) needs lives until `unmap()` has returned. There are
///   three ways:
///   - acquire it before the registration whose callbacks use the resource;
///   - or put it into [`Keep`](Self::Keep);
///   - or make it a slot or a `Batched` of the same device, populated first.
/// - A field whose [`map()`](Self::map) calls the accessor of another lazy field is declared after
///   that field.
/// - [`unmap()`](Self::unmap) does not take a reference to the owner, not even for a moment, and
///   does not wait for unbind to drop an older resource.
///
/// The rules of [`Lazy`] give the reasons.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how to map a view into `{O}`",
    label = "`{Self}` is not a `Map<{O}>`",
    note = "implement `devres::Map<{O}>` for `{Self}`, the marker that `map = {Self}` names"
)]
pub unsafe trait Map<O: ?Sized>: 'static {
    /// The type that the accessor returns a reference to.
    type Target: ?Sized + Send + Sync + 'static;

    /// The data that unmapping needs and the owner does not keep alive. For instance an
    /// [`ARef`](crate::sync::aref::ARef) to the device structure that the C function reads through
    /// the owner, or `()` if unmapping needs no such data.
    ///
    /// The data must not hold a reference to the owner. Otherwise dropping the resource could free
    /// the owner, which waits for that drop.
    type Keep: Send + Sync + 'static;

    /// Returns the data that has to live until [`unmap()`](Self::unmap). Called before
    /// [`map()`](Self::map).
    fn keep(owner: &O) -> Self::Keep;

    /// Maps the resource of `owner` for `dev`, which is the owner's device.
    ///
    /// # Errors
    ///
    /// The errors of mapping. Before it returns an error, this releases everything that it has
    /// taken. The accessor returns the same error.
    ///
    /// # Context
    ///
    /// May sleep. For lockdep, the caller holds a lock of the slot's class.
    fn map(owner: &O, dev: &Device<Bound>) -> Result<NonNull<Self::Target>>;

    /// Unmaps the target that [`map()`](Self::map) returned, and releases everything that `map()`
    /// has taken.
    ///
    /// Called exactly once per successful [`map()`](Self::map): when the device is unbound, when
    /// the owner is freed, or when the resource is revoked or evicted, whichever comes first. If
    /// unbind has begun while [`map()`](Self::map) was running, this is called at once.
    ///
    /// # Safety
    ///
    /// - `target` was returned by [`map()`](Self::map) for this `owner`, and not unmapped since.
    /// - No code uses `target` any more.
    ///
    /// # Context
    ///
    /// May sleep. Must not call the accessor of its own slot.
    unsafe fn unmap(owner: &O, keep: &Self::Keep, target: NonNull<Self::Target>);
}

/// Names a marker as a [`Map`] of `O`.
///
/// Every `Map<O>` implements this. Generated code writes `<M as MapMarker<Self>>::Map` for `M`. If
/// `M` does not implement [`Map`], rustc then has the same message in every place, and prints the
/// message once.
pub trait MapMarker<O: ?Sized> {
    /// `Self`.
    type Map: Map<O>;
}

impl<O: ?Sized, M: Map<O>> MapMarker<O> for M {
    type Map = M;
}

/// An owner that has views by the marker `M`.
///
/// `#[devres_lazy]` implements this for the struct that it annotates, once for each marker of its
/// `map` fields. `Mapped<O, M>` is then well formed in every place, also if `M` does not implement
/// [`Map`]: rustc reports the missing `Map` in this implementation alone.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no field with `map = {M}`",
    label = "`Mapped<{Self}, {M}>` is the type of such a field",
    note = "put `#[lazy(.., map = {M})]` on a field of `{Self}`, under `#[devres_lazy]`"
)]
pub trait HasView<M> {
    /// `M`, which maps and unmaps the views.
    type Map: Map<Self>;
}

/// A mapped resource that is a view into its owner, an `O`; unmapped when dropped.
///
/// The type of a field annotated with `#[lazy(.., map = M)]` is `Mapped<Self, M>`.
///
/// A `Mapped` has no reference to its owner: an object with a reference to itself would never be
/// freed.
///
/// A `Mapped` is never moved: it is made in the slot that is a field of its owner, and dropped
/// there.
///
/// # Invariants
///
/// - `owner` is valid for shared access until `self` is dropped.
/// - `target` was returned by `O::Map::map()` for `*owner`, and has not been unmapped.
pub struct Mapped<O: HasView<M> + ?Sized, M> {
    target: NonNull<<O::Map as Map<O>>::Target>,
    keep: <O::Map as Map<O>>::Keep,
    owner: NonNull<O>,
}

// SAFETY: By the bounds of `Map`, the target is `Send` and `Sync`, and `keep` is `Send`. Of the
// owner only a shared reference is used, which any thread may do as `O: Sync`.
unsafe impl<O: HasView<M> + Sync + ?Sized, M> Send for Mapped<O, M> {}

// SAFETY: A shared `Mapped` returns a reference to the target, which is `Sync` by the bounds of
// `Map`.
unsafe impl<O: HasView<M> + Sync + ?Sized, M> Sync for Mapped<O, M> {}

/// The types that [`OwnerView::new()`] is called for, and the traits that its safety rests on.
///
/// Generated code writes out the value, with the names that the code itself uses. If one of these
/// names leads to another type or trait, the value has another type, and rustc reports an error.
pub type Names<O, M> = PhantomData<fn(&O, &M, &dyn LazyOwner, &dyn TeardownFirst)>;

/// The resource that `map = M` makes in an `O`. Only [`Mapped`] implements this.
///
/// Generated code makes the resource by this trait. If the field has another type, rustc then names
/// the right one.
#[diagnostic::on_unimplemented(
    message = "a field with `map = {M}` is a view into its owner, which `{Self}` is not",
    label = "use `Mapped<Self, {M}>`",
    note = "`init = ..` instead of `map = ..` makes a `{Self}` that is not a view"
)]
pub trait OwnerView<O: ?Sized, M>: Sized + 'static {
    /// Maps the resource of `owner` in `place`, for the device of that place.
    ///
    /// Generated code names all items by the path that the author gives for the runtime, and the
    /// arguments check this path. `slot` is a raw pointer, which is not coerced. So the field's
    /// type is [`Lazy`], and the teardown of the field calls the functions of [`Lazy`]. `names`
    /// ensures the same for the traits.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if `place` is not that of `*slot`, or `*slot` is not a part of `*owner`;
    ///   nothing is mapped.
    /// - The error of [`Map::map()`].
    ///
    /// # Context
    ///
    /// May sleep, as [`Map::map()`].
    ///
    /// # Safety
    ///
    /// - S1: `*owner` stays valid for shared access until the result is dropped.
    /// - S2: `*owner` stays where it is until then.
    unsafe fn new<'p>(
        place: Place<'p, Self>,
        slot: *const Lazy<Self>,
        owner: &O,
        names: Names<O, M>,
    ) -> Result<Placed<'p, Self>>;
}

impl<O: HasView<M> + ?Sized + 'static, M: 'static> OwnerView<O, M> for Mapped<O, M> {
    unsafe fn new<'p>(
        place: Place<'p, Self>,
        slot: *const Lazy<Self>,
        owner: &O,
        names: Names<O, M>,
    ) -> Result<Placed<'p, Self>> {
        let PhantomData = names;
        let offset = slot.addr().wrapping_sub(ptr::from_ref(owner).addr());
        let (size, of_slot) = (size_of_val(owner), size_of::<Lazy<Self>>());
        let is_field = of_slot <= size && offset <= size - of_slot;
        if !ptr::eq(place.slot(), slot) || !is_field {
            return Err(EINVAL);
        }

        let keep = O::Map::keep(owner);

        // INVARIANT:
        // - `owner` is a reference. The caller promises that it stays valid, and does not move.
        // - `target` comes from `O::Map::map()` for `owner`.
        let mapped = Self {
            target: O::Map::map(owner, place.dev())?,
            keep,
            owner: owner.into(),
        };
        Ok(place.fill(mapped))
    }
}

impl<O: HasView<M> + ?Sized, M> Deref for Mapped<O, M> {
    type Target = <O::Map as Map<O>>::Target;

    #[inline]
    fn deref(&self) -> &Self::Target {
        // SAFETY: By the type invariants `target` is mapped. By the safety requirements of `Map`, a
        // mapped target is valid for shared access.
        unsafe { self.target.as_ref() }
    }
}

impl<O: HasView<M> + ?Sized, M> Drop for Mapped<O, M> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants `owner` is valid for shared access.
        let owner = unsafe { self.owner.as_ref() };

        // SAFETY:
        // - By the type invariants `target` comes from `O::Map::map()` for `owner`, and is still
        //   mapped.
        // - `self` is exclusively borrowed, so no code uses `target` any more.
        unsafe { O::Map::unmap(owner, &self.keep, self.target) };
    }
}
