// SPDX-License-Identifier: Apache-2.0 OR MIT
// Expanded from generics.rs by cargo-devres-lazy; S1, S2, ..: see its docs/safety.md.

//! Type and const parameters, with bounds, a `where` clause and defaults.

use core::ops::Deref;
use kernel::{
    device::Device,
    prelude::*,
    sync::aref::ARef, //
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
    table: ::kernel::devres::Lazy<Table<F, N>>,
}

impl<F, const N: usize> Queue<F, N>
where
    F: Format,
{
    /// The queue's translation table.
    ///
    /// The first call maps it; later calls lend the same one without taking a lock.
    ///
    /// # Errors
    ///
    /// - `EINVAL` if `dev` is not the device that this object belongs to; nothing is mapped.
    /// - `ENXIO` if it was revoked when the device was unbound, also once it is bound again;
    ///   or if it is not mapped while unbind is under way, which might miss it.
    /// - `EDEADLK` if the caller is mapping it already; `EBUSY` if a caller in an earlier
    ///   binding of `dev` is still mapping it.
    /// - `ENOMEM` if there is no memory to keep track of it; nothing is mapped.
    /// - What mapping fails with; the object stays unmapped, and a later call tries again.
    ///
    /// # Context
    ///
    /// May sleep until it is mapped; callers that race sleep, and get the same one.
    ///
    /// Unbinding the device unmaps it. `dev` keeps it bound for as long as it is borrowed.
    /// Everything that unmapping needs is acquired before the registration whose callbacks call
    /// this, or kept by the resource, or lazily mapped for the same device.
    #[inline]
    pub fn table<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'a [F::Entry; N]> {
        // Fast path: `self.table` is populated for `dev`, and has not been revoked.
        if let ::core::option::Option::Some(table) = ::kernel::devres::Lazy::get(&self.table, dev) {
            return ::core::result::Result::Ok(table);
        }

        // Not populated, revoked, or `dev` is another device: `table_slow()` maps, or tells which.
        self.table_slow(dev)
    }

    /// The slow path of `table()`: maps, or tells why not.
    #[cold]
    #[inline(never)]
    fn table_slow<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'a [F::Entry; N]> {
        // Any thread may borrow what `self.table` lends: it has to be `Send` and `Sync`.
        const fn table_is_send_and_sync<T>()
        where
            T: ::core::marker::Send + ::core::marker::Sync + ?::core::marker::Sized,
        {
        }
        table_is_send_and_sync::<[F::Entry; N]>();

        // Refuse any device but the one that `self` belongs to, before anything is made for it.
        if !self.table_device_is(dev) {
            return ::core::result::Result::Err(::kernel::error::code::EINVAL);
        }

        // Slow path: one caller at a time populates `self.table`. The others sleep here until that
        // caller is done.
        let slot = match ::kernel::devres::Lazy::entry(&self.table, dev)? {
            ::kernel::devres::Entry::Populated(table) => {
                return ::core::result::Result::Ok(table);
            }
            ::kernel::devres::Entry::Vacant(slot) => slot,
        };

        // `populate()` cannot find `self.table` populated: nobody else populates it while this
        // caller has `slot`.
        //
        // The closure runs when all other checks have passed: `Table()` makes the resource. On an
        // error (`ENXIO` if unbind has begun meanwhile, or what `Table()` fails with) `self.table`
        // is empty again, and a later call may succeed.
        //
        // INVARIANT: When this succeeds, `self.table` holds the resource, for `dev`, until `dev` is
        // unbound, `self.table` is revoked, or `*self` is dropped.
        let table = ::kernel::devres::Vacant::populate(slot, || {
            ::core::result::Result::Ok(Table([F::FIRST; N]))
        })?;

        ::core::result::Result::Ok(table)
    }

    /// Returns whether this object belongs to the given device.
    fn table_device_is(
        &self,
        other: &::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::core::primitive::bool {
        ::kernel::devres::same_device(&self.dev, other)
    }
}

impl<F, const N: usize> ::kernel::devres::LazyOwner for Queue<F, N>
where
    F: Format,
{
    fn teardown(self: ::core::pin::Pin<&mut Self>) {
        // `self.table` goes first: what it holds is dropped while all other parts of `*self` are
        // whole, and nobody populates it again (S1).
        let this = Self::project(self);
        ::kernel::devres::Lazy::<Table<F, N>>::retire(this.table);
    }
}

#[::kernel::prelude::pinned_drop]
impl<F, const N: usize> PinnedDrop for Queue<F, N>
where
    F: Format,
{
    fn drop(self: ::core::pin::Pin<&mut Self>) {
        // First of all, while all of `*self` is whole: drops what the lazy fields hold, for good
        // (S1).
        ::kernel::devres::LazyOwner::teardown(self);
    }
}
