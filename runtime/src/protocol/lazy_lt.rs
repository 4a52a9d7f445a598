// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The slot of a resource that borrows the bound device, such as a mapped BAR.
//!
//! The host and the kernel compile this file, under the rule of `lazy`.
//!
//! The types of the resource are a family, `F::Of<'_>`, with one type for each lifetime of the
//! device. The slot stores the resource as `F::Of<'static>`, and returns it with the lifetime of
//! the caller's device.

use super::lazy::{
    Entry,
    Lazy,
    Place,
    Placed, //
};
use crate::{
    device::{
        Bound,
        Device, //
    },
    prelude::*,
    types::ForLt, //
};

/// A resource of the family `F`, as a slot stores it.
///
/// This type has no functions, so a `LazyGuard` gives no access to the resource. A guard does not
/// keep the device bound, and the resource may contain the bound device.
///
/// # Invariants
///
/// Everything that the resource borrows is valid until the slot drops the resource.
#[repr(transparent)]
pub struct StoredLt<F: ForLt>(F::Of<'static>);

/// A slot for a resource that borrows the bound device, which the slot outlives.
///
/// `F` is the family of the resource's types: `ForLt!(Bar<'_>)`, or `Bar<'static>`, which stands
/// for the same family. The type is written as in `DevresLt`, but needs no `unsafe`. The code that
/// makes the resource is generic over the lifetime of the device. So the resource can borrow from
/// the device, and from nothing else that ends before the program does.
///
/// The documentation of [`Lazy`] holds for this slot as well. In addition:
///
/// - A resource does not borrow, through the device, from a `Devres` that was created after the
///   slots' place was taken: devres would release the `Devres` before the slots. Only a `Devres`
///   that is never freed makes such a borrow possible. See [`prepare()`](super::lazy::prepare) for
///   the place.
/// - There is no `try_access`: the resource may contain the bound device, which a guard does not
///   keep bound.
pub type LazyLt<F> = Lazy<StoredLt<F>>;

impl<F: ForLt + 'static> Lazy<StoredLt<F>> {
    /// Returns the resource if the slot is populated for `dev` and was not revoked.
    ///
    /// As [`get()`](Self::get). `lend` is the closure `|resource| resource`. It compiles only for a
    /// family of covariant types, and does nothing at run time.
    ///
    /// # Context
    ///
    /// Does not sleep. Takes one load and one comparison: no lock, no RCU section, no write to
    /// shared memory.
    #[inline]
    pub fn get_with<'a>(
        &'a self,
        dev: &'a Device<Bound>,
        lend: impl for<'l> FnOnce(&'a F::Of<'l>) -> &'a F::Of<'a>,
    ) -> Option<&'a F::Of<'a>> {
        self.get(dev).map(|stored| lend(&stored.0))
    }

    /// Returns the resource if the slot is populated for `dev`, or else makes it.
    ///
    /// `init` makes the resource in the given place by [`PlaceLt::make()`], and returns the proof.
    /// It has to work for every lifetime of the device. It may read everything in its scope, but
    /// the resource can borrow from its `dev` only. When `init` is called, one check is left for
    /// later: whether unbind has begun in the meantime. `lend` is that of
    /// [`get_with()`](Self::get_with).
    ///
    /// # Errors
    ///
    /// Those of [`entry()`](Self::entry) and [`Vacant::populate()`](super::lazy::Vacant::populate).
    ///
    /// # Context
    ///
    /// May sleep, as [`entry()`](Self::entry), and as `init` does.
    #[track_caller]
    pub fn get_or_populate_with<'a>(
        &'a self,
        dev: &'a Device<Bound>,
        init: impl for<'p> FnOnce(&'p Device<Bound>, PlaceLt<'p, F>) -> Result<PlacedLt<'p, F>>,
        lend: impl for<'l> FnOnce(&'a F::Of<'l>) -> &'a F::Of<'a>,
    ) -> Result<&'a F::Of<'a>>
    where
        for<'p> F::Of<'p>: Send + Sync,
    {
        let stored = match self.entry(dev)? {
            Entry::Populated(stored) => stored,
            // INVARIANT: `init` works for every `'p`, and the bounds are those of this function.
            Entry::Vacant(slot) => slot.populate_with(|place| init(place.dev(), PlaceLt(place)))?,
        };

        Ok(lend(&stored.0))
    }
}

/// The proof that a resource was made in a [`PlaceLt`] of the same lifetime.
pub type PlacedLt<'p, F> = Placed<'p, StoredLt<F>>;

/// The place for a resource that borrows the device, for a slot that is being populated.
///
/// Only [`LazyLt::get_or_populate_with()`] makes one.
///
/// # Invariants
///
/// The code that uses the place works for every lifetime `'p` of the bound device. Any thread may
/// use and drop a resource of the family `F`, with every lifetime.
pub struct PlaceLt<'p, F: ForLt + 'static>(Place<'p, StoredLt<F>>);

impl<'p, F: ForLt + 'static> PlaceLt<'p, F> {
    /// Makes the resource in place by an initialiser, and returns the proof.
    ///
    /// # Errors
    ///
    /// The error of the initialiser.
    pub fn make<E>(self, init: impl PinInit<F::Of<'p>, E>) -> Result<PlacedLt<'p, F>>
    where
        Error: From<E>,
    {
        // SAFETY:
        // - `StoredLt<F>` is a transparent wrapper of `F::Of<'static>`, which differs from
        //   `F::Of<'p>` in a lifetime, and so has the same layout.
        // - The resource is valid as `F::Of<'static>` for as long as it exists. By the type
        //   invariants it borrows from the device, or for `'static`, and the slot drops it before
        //   unbind of the device goes on. The slot returns it only with the lifetime of a reference
        //   to the bound device.
        // INVARIANT: By the type invariants of `self`, the resource borrows only from the device,
        // which stays bound until the slot drops the resource, or for `'static`.
        let init = unsafe { pin_init::cast_pin_init::<F::Of<'p>, StoredLt<F>, E>(init) };

        Ok(self.0.init(init)?)
    }
}
