// SPDX-License-Identifier: Apache-2.0 OR MIT
// Expanded from crate_path.rs by cargo-devres-lazy; S1, S2, ..: see its docs/safety.md.

//! `crate`: the runtime is elsewhere.

use kernel::{self as dl, device::Device, prelude::*, sync::aref::ARef};

/// A table.
pub struct Table;

/// A queue.
#[pin_data(PinnedDrop)]
pub struct Queue {
    dev: ARef<Device>,

    /// The queue's translation table.
    #[pin]
    table: dl::devres::Lazy<Table>,
}

impl Queue {
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
    pub fn table<'a>(
        &'a self,
        dev: &'a dl::device::Device<dl::device::Bound>,
    ) -> dl::error::Result<&'a Table> {
        // Fast path: populated for `dev`, and not revoked.
        if let ::core::option::Option::Some(table) = dl::devres::Lazy::get(&self.table, dev) {
            return ::core::result::Result::Ok(table);
        }

        self.table_slow(dev)
    }

    /// The slow path of `table()`: maps, or fails.
    #[cold]
    #[inline(never)]
    fn table_slow<'a>(
        &'a self,
        dev: &'a dl::device::Device<dl::device::Bound>,
    ) -> dl::error::Result<&'a Table> {
        // Refuse another device before anything is made for it.
        if !self.table_device_is(dev) {
            return ::core::result::Result::Err(dl::error::code::EINVAL);
        }

        // Slow path: one caller populates the field. The others sleep here, and get what it has
        // made.
        let slot = match dl::devres::Lazy::entry(&self.table, dev)? {
            dl::devres::Entry::Populated(table) => {
                return ::core::result::Result::Ok(table);
            }
            dl::devres::Entry::Vacant(slot) => slot,
        };

        // Only this caller has `slot`, so `populate()` cannot find the field populated.
        let table = dl::devres::Vacant::populate(slot, || ::core::result::Result::Ok(Table))?;

        ::core::result::Result::Ok(table)
    }

    /// Returns whether this object belongs to the given device.
    fn table_device_is(
        &self,
        other: &dl::device::Device<dl::device::Bound>,
    ) -> ::core::primitive::bool {
        dl::devres::same_device(&self.dev, other)
    }

    /// As `table()`, but only if the resource is mapped already.
    ///
    /// `None` if nothing is mapped, or if unbind has revoked the resource. Never maps.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `dev` is not the device that this object belongs to.
    ///
    /// # Context
    ///
    /// Does not sleep.
    pub fn table_if_mapped<'a>(
        &'a self,
        dev: &'a dl::device::Device<dl::device::Bound>,
    ) -> dl::error::Result<::core::option::Option<&'a Table>> {
        // Fast path: populated for `dev`, and not revoked.
        if let ::core::option::Option::Some(table) = dl::devres::Lazy::get(&self.table, dev) {
            return ::core::result::Result::Ok(::core::option::Option::Some(table));
        }

        // Tell another device from a field that is empty or revoked.
        if !self.table_device_is(dev) {
            return ::core::result::Result::Err(dl::error::code::EINVAL);
        }

        ::core::result::Result::Ok(::core::option::Option::None)
    }

    /// Returns the resource that `table()` has mapped, without a bound device.
    ///
    /// `None` if nothing is mapped, or if unbind has revoked the resource. Never maps.
    ///
    /// # Context
    ///
    /// Does not sleep. The holder of the guard must not sleep either: the guard is an RCU
    /// read-side critical section, which unbind waits for.
    #[inline]
    pub fn try_table(&self) -> ::core::option::Option<dl::devres::LazyGuard<'_, Table>> {
        dl::devres::Lazy::try_access(&self.table)
    }

    /// Unmaps now the resource that `table()` has mapped, if there is one.
    ///
    /// The next call of `table()` maps anew, also if the device was unbound in between.
    ///
    /// # Context
    ///
    /// May sleep: if unbind is unmapping the resource, this waits for unbind.
    pub fn unmap_table(self: ::core::pin::Pin<&mut Self>) {
        dl::devres::Lazy::revoke(Self::project(self).table);
    }
}

impl dl::devres::LazyOwner for Queue {
    fn teardown(self: ::core::pin::Pin<&mut Self>) {
        // The author's destructor has to begin with the teardown (S4).
        const fn begins_with_teardown<T>()
        where
            T: dl::devres::TeardownFirst + ?::core::marker::Sized,
        {
        }
        begins_with_teardown::<Self>();

        let this = Self::project(self);
        dl::devres::Lazy::<Table>::retire(this.table);
    }
}

#[pinned_drop]
impl PinnedDrop for Queue {
    fn drop(mut self: Pin<&mut Self>) {
        // The lazy fields go first, while the rest of `*self` is whole.
        <dyn dl::devres::TeardownFirst>::teardown_first(&mut self);
    }
}

// SAFETY: `drop()` begins with `teardown_first()`, and nothing that the author has written is in
// the scope of that call (S4).
unsafe impl dl::devres::TeardownFirst for Queue {}
