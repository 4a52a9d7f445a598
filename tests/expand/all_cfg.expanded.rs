// SPDX-License-Identifier: Apache-2.0 OR MIT
// Expanded from all_cfg.rs by cargo-devres-lazy; S1, S2, ..: see its docs/safety.md.

//! `#[cfg]` on every lazy field.

use kernel::{device::Device, prelude::*, sync::aref::ARef};

/// A table.
pub struct Table;

/// A queue.
#[pin_data(PinnedDrop)]
pub struct Queue {
    dev: ARef<Device>,

    /// The queue's translation table.
    #[cfg(debug_assertions)]
    #[pin]
    table: ::kernel::devres::Lazy<Table>,

    /// Another table.
    #[cfg(not(debug_assertions))]
    #[pin]
    other: ::kernel::devres::Lazy<Table>,
}

impl Queue {
    #[cfg(debug_assertions)]
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
    pub fn table<'a>(&'a self, dev: &'a Device<::kernel::device::Bound>) -> Result<&'a Table> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(table) = ::kernel::devres::Lazy::get(&self.table, dev) {
            return Ok(table);
        }

        self.table_slow(dev)
    }

    #[cfg(debug_assertions)]
    /// The slow path of `table()`: maps, or fails.
    #[cold]
    #[inline(never)]
    fn table_slow<'a>(&'a self, dev: &'a Device<::kernel::device::Bound>) -> Result<&'a Table> {
        // Refuse another device before anything is made for it.
        if !self.table_device_is(dev) {
            return Err(EINVAL);
        }

        // Slow path: one caller populates the field. The others sleep here, and get what it has
        // made.
        let slot = match ::kernel::devres::Lazy::entry(&self.table, dev)? {
            ::kernel::devres::Entry::Populated(table) => {
                return Ok(table);
            }
            ::kernel::devres::Entry::Vacant(slot) => slot,
        };

        // Only this caller has `slot`, so `populate()` cannot find the field populated.
        let table = ::kernel::devres::Vacant::populate(slot, || Ok(Table))?;

        Ok(table)
    }

    #[cfg(debug_assertions)]
    /// Returns whether this object belongs to the given device.
    fn table_device_is(&self, other: &Device<::kernel::device::Bound>) -> bool {
        ::kernel::devres::same_device(&self.dev, other)
    }

    #[cfg(not(debug_assertions))]
    /// Another table.
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
    pub fn other<'a>(&'a self, dev: &'a Device<::kernel::device::Bound>) -> Result<&'a Table> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(other) = ::kernel::devres::Lazy::get(&self.other, dev) {
            return Ok(other);
        }

        self.other_slow(dev)
    }

    #[cfg(not(debug_assertions))]
    /// The slow path of `other()`: maps, or fails.
    #[cold]
    #[inline(never)]
    fn other_slow<'a>(&'a self, dev: &'a Device<::kernel::device::Bound>) -> Result<&'a Table> {
        // Refuse another device before anything is made for it.
        if !self.other_device_is(dev) {
            return Err(EINVAL);
        }

        // Slow path: one caller populates the field. The others sleep here, and get what it has
        // made.
        let slot = match ::kernel::devres::Lazy::entry(&self.other, dev)? {
            ::kernel::devres::Entry::Populated(other) => {
                return Ok(other);
            }
            ::kernel::devres::Entry::Vacant(slot) => slot,
        };

        // Only this caller has `slot`, so `populate()` cannot find the field populated.
        let other = ::kernel::devres::Vacant::populate(slot, || Ok(Table))?;

        Ok(other)
    }

    #[cfg(not(debug_assertions))]
    /// Returns whether this object belongs to the given device.
    fn other_device_is(&self, other: &Device<::kernel::device::Bound>) -> bool {
        ::kernel::devres::same_device(&self.dev, other)
    }
}

impl ::kernel::devres::LazyOwner for Queue {
    fn teardown(self: Pin<&mut Self>) {
        // In reverse order of declaration, as a field may depend on those above it.
        let this = Self::project(self);
        let _ = &this;
        #[cfg(not(debug_assertions))]
        ::kernel::devres::Lazy::<Table>::retire(this.other);
        #[cfg(debug_assertions)]
        ::kernel::devres::Lazy::<Table>::retire(this.table);
    }
}

#[pinned_drop]
impl PinnedDrop for Queue {
    fn drop(self: Pin<&mut Self>) {
        // The lazy fields go first, while the rest of `*self` is whole.
        ::kernel::devres::LazyOwner::teardown(self);
    }
}
