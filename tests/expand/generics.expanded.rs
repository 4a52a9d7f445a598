// SPDX-License-Identifier: Apache-2.0 OR MIT
// Expanded from generics.rs by cargo-devres-lazy; S1, S2, ..: see its docs/safety.md.

//! Type and const parameters, with bounds, a `where` clause and defaults.

use core::ops::Deref;
use kernel::{
    device::{Bound, Device},
    devres::{self, same_device, Lazy, LazyOwner, Vacant},
    prelude::*,
    sync::aref::ARef,
};

/// What a table is made of.
pub trait Format: Send + Sync + 'static {
    /// Its entries.
    type Entry: Copy + Send + Sync + 'static;

    /// What they are at first.
    const FIRST: Self::Entry;
}

/// A table.
pub struct Table<F: Format, const N: usize>([F::Entry; N]);

impl<F: Format, const N: usize> Deref for Table<F, N> {
    type Target = [F::Entry; N];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// A queue.
#[pin_data(PinnedDrop)]
pub struct Queue<F, const N: usize = 16>
where
    F: Format,
{
    dev: ARef<Device>,

    /// The queue's translation table.
    #[pin]
    table: Lazy<Table<F, N>>,
}

impl<F, const N: usize> Queue<F, N>
where
    F: Format,
{
    /// The queue's translation table.
    ///
    /// The first call maps the resource. Later calls return the same one without taking a lock.
    ///
    /// # Errors
    ///
    /// - `EINVAL` if `dev` is not the device that this object belongs to. Nothing is mapped.
    /// - `ENXIO` if unbind has revoked the resource, also after the device is bound again,
    ///   or if unbind has started and nothing is mapped yet.
    /// - `EDEADLK` if the caller is mapping the resource already.
    /// - `EBUSY` if a caller in an earlier binding of `dev` is still mapping the resource.
    /// - `ENOMEM` if there is no memory to keep track of the resource. Nothing is mapped.
    /// - The error of mapping. Nothing stays mapped, and a later call tries again.
    ///
    /// # Context
    ///
    /// May sleep until the resource is mapped. Racing callers sleep, and get the same resource.
    ///
    /// Unbind unmaps the resource. While `dev` is borrowed, the device stays bound.
    /// Everything that unmapping needs is acquired before the registration whose callbacks call
    /// this, or kept by the resource, or lazily mapped for the same device.
    #[inline]
    pub fn table<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a [F::Entry; N]> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(table) = Lazy::get(&self.table, dev) {
            return Ok(table);
        }

        self.table_slow(dev)
    }

    /// The slow path of `table()`: maps, or fails.
    #[cold]
    #[inline(never)]
    fn table_slow<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a [F::Entry; N]> {
        // Any thread may use the target.
        const fn table_is_send_and_sync<T>()
        where
            T: Send + Sync + ?Sized,
        {
        }
        table_is_send_and_sync::<[F::Entry; N]>();

        // Refuse another device before anything is made for it.
        if !self.table_device_is(dev) {
            return Err(EINVAL);
        }

        // Slow path: one caller populates the field. The others sleep here, and get what it has
        // made.
        let slot = match Lazy::entry(&self.table, dev)? {
            devres::Entry::Populated(table) => {
                return Ok(table);
            }
            devres::Entry::Vacant(slot) => slot,
        };

        // Only this caller has `slot`, so `populate()` cannot find the field populated.
        let table = Vacant::populate(slot, || Ok(Table([F::FIRST; N])))?;

        Ok(table)
    }

    /// Returns whether this object belongs to the given device.
    fn table_device_is(&self, other: &Device<Bound>) -> bool {
        same_device(&self.dev, other)
    }
}

impl<F, const N: usize> LazyOwner for Queue<F, N>
where
    F: Format,
{
    fn teardown(self: Pin<&mut Self>) {
        let this = Self::project(self);
        Lazy::<Table<F, N>>::retire(this.table);
    }
}

#[pinned_drop]
impl<F, const N: usize> PinnedDrop for Queue<F, N>
where
    F: Format,
{
    fn drop(self: Pin<&mut Self>) {
        // The lazy fields go first, while the rest of `*self` is whole.
        LazyOwner::teardown(self);
    }
}
