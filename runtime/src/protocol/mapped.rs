// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `map` fields: a resource that is a view into the object that owns it.
//!
//! One source for the host, the model checker and the kernel, under the same rule as the slot.
//!
//! The shmem scatter-gather table is such a resource: C code keeps the table in the object, makes
//! it for the object, and frees it through the object. What the slot then holds is a pointer to
//! the table and a pointer back to the owner, and what is left to write by hand is a pair of
//! functions: see [`Map`].

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

/// How to map and unmap a resource that is a view into its owner, an `O`.
///
/// Implemented for a marker type, which `#[lazy(.., map = Marker)]` names.
///
/// # Safety
///
/// - The pointer that [`map()`](Self::map) returns must be valid for shared access, from any
///   thread, until [`unmap()`](Self::unmap) is called with it.
/// - The destructor of `O` must begin with [`LazyOwner::teardown()`], so that an `O` is whole when
///   it is unmapped. `#[devres_lazy]` takes care of this for the struct that it stands on. A
///   generic `impl Map<O>` must bound `O` by [`TeardownFirst`], which says so of a type;
///   [`LazyOwner`] does not.
/// - Until [`unmap()`](Self::unmap) has returned, nobody may write to a part of the owner, other
///   than by interior mutability, or make an exclusive reference to a part that is [`Unpin`].
///   Unbind may be unmapping on another thread, also while the owner is exclusively borrowed. In
///   particular, nobody calls the owner's `project()`, which `#[pin_data]` makes.
///
/// # Rules for authors
///
/// - Everything that [`unmap()`](Self::unmap) needs lives until it has returned. It is acquired
///   before the registration whose callbacks use the resource; or it is in [`Keep`](Self::Keep); or
///   it is itself a slot, or a `Batched`, of the same device.
/// - A field whose [`map()`](Self::map) calls the accessor of another lazy field is declared after
///   that field.
/// - [`unmap()`](Self::unmap) does not take a reference to the owner, not even for a moment, and
///   does not wait for unbind to drop an older resource.
///
/// [`Lazy`] says why.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how to map a view into `{O}`",
    label = "`{Self}` is not a `Map<{O}>`",
    note = "implement `devres::Map<{O}>` for `{Self}`, the marker that `map = {Self}` names"
)]
pub unsafe trait Map<O: ?Sized>: 'static {
    /// What the accessor lends.
    type Target: ?Sized + Send + Sync + 'static;

    /// What unmapping needs and the owner does not keep alive, for instance an
    /// [`ARef`](crate::sync::aref::ARef) to the device structure that the C function reads through
    /// the owner. `()` if there is no such thing.
    ///
    /// It must not hold a reference to the owner, whose last reference would then be dropped while
    /// the owner waits for it.
    type Keep: Send + Sync + 'static;

    /// Takes what has to live until [`unmap()`](Self::unmap). Called before [`map()`](Self::map).
    fn keep(owner: &O) -> Self::Keep;

    /// Maps the resource of `owner` for `dev`, which is the owner's device.
    ///
    /// # Errors
    ///
    /// Whatever mapping fails with; everything it took is put back.
    ///
    /// # Context
    ///
    /// Called with the slot's lock held, in a context that may sleep.
    fn map(owner: &O, dev: &Device<Bound>) -> Result<NonNull<Self::Target>>;

    /// Unmaps what [`map()`](Self::map) returned, and balances all that it took.
    ///
    /// Called exactly once per successful [`map()`](Self::map): when the device is unbound, when
    /// the owner is freed, or when an exclusive owner revokes, whichever comes first.
    ///
    /// # Safety
    ///
    /// - `target` was returned by [`map()`](Self::map) for this `owner`, and not unmapped since.
    /// - Nobody uses `target` any more.
    ///
    /// # Context
    ///
    /// May sleep. Must not call the accessor of its own slot.
    unsafe fn unmap(owner: &O, keep: &Self::Keep, target: NonNull<Self::Target>);
}

/// Names a marker as a [`Map`] of `O`.
///
/// Every `Map<O>` implements this. Generated code writes `<M as MapMarker<Self>>::Map` for `M`:
/// wherever rustc misses [`Map`], it then has the same message, and prints that once.
pub trait MapMarker<O: ?Sized> {
    /// `Self`.
    type Map: Map<O>;
}

impl<O: ?Sized, M: Map<O>> MapMarker<O> for M {
    type Map = M;
}

/// An owner that has views by the marker `M`.
///
/// `#[devres_lazy]` implements this for the struct that it stands on, once for each marker of its
/// `map` fields. `Mapped<O, M>` is then well formed wherever it is named, also if `M` does not
/// implement [`Map`]: rustc reports that in this implementation alone.
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
/// It holds its owner weakly: an object that owned a reference to itself would never be freed.
///
/// It is never moved: it is made in the slot that is a field of its owner, and dropped there.
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

// SAFETY: `target` is `Send` and `Sync` by the bounds of `Map`, `keep` is `Send`, and of the owner
// only a shared reference is used, which is fine on another thread as `O: Sync`.
unsafe impl<O: HasView<M> + Sync + ?Sized, M> Send for Mapped<O, M> {}

// SAFETY: A shared reference lends the target, which is `Sync` by the bounds of `Map`.
unsafe impl<O: HasView<M> + Sync + ?Sized, M> Sync for Mapped<O, M> {}

/// The types that [`OwnerView::new()`] is called for, and the traits that its safety rests on.
///
/// Generated code writes out the value, with the names that this code uses. If one of them is that
/// of another type or trait, so is the type of the value.
pub type Names<O, M> = PhantomData<fn(&O, &M, &dyn LazyOwner, &dyn TeardownFirst)>;

/// What `map = M` makes in an `O`: a [`Mapped`], and nothing else.
///
/// Generated code makes it by this trait, so that rustc says what the type of the field should be.
#[diagnostic::on_unimplemented(
    message = "a field with `map = {M}` is a view into its owner, which `{Self}` is not",
    label = "use `Mapped<Self, {M}>`",
    note = "`init = ..` instead of `map = ..` makes a `{Self}` that is not a view"
)]
pub trait OwnerView<O: ?Sized, M>: Sized + 'static {
    /// Maps the resource of `owner`, in the place for it, for the device that this place is for.
    ///
    /// Generated code names everything by the path that the author gives for the runtime. `slot` is
    /// a pointer, which is not coerced: so the field's type is [`Lazy`], and its teardown calls the
    /// functions of [`Lazy`]. `names` says the same of the traits.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if `place` is not that of `*slot`, or `*slot` is not a part of `*owner`;
    ///   nothing is mapped.
    /// - What [`Map::map()`] fails with.
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
        // - `owner` is a reference, and stays valid by the safety requirement.
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
        // SAFETY: By the type invariants `target` is mapped, and by the safety requirements of
        // `Map` it is then valid for shared access.
        unsafe { self.target.as_ref() }
    }
}

impl<O: HasView<M> + ?Sized, M> Drop for Mapped<O, M> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants `owner` is valid.
        let owner = unsafe { self.owner.as_ref() };

        // SAFETY:
        // - By the type invariants `target` comes from `O::Map::map()` for `owner`, and is still
        //   mapped.
        // - `self` is exclusively borrowed, so nobody uses `target` any more.
        unsafe { O::Map::unmap(owner, &self.keep, self.target) };
    }
}
