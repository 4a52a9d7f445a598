// SPDX-License-Identifier: Apache-2.0 OR MIT
// Expanded from cfg.rs by cargo-devres-lazy; S1, S2, ..: see its docs/safety.md.

//! `#[cfg]` on a field: it is on all that is made from the field.

use kernel::{device::Device, prelude::*, sync::aref::ARef};

/// A table.
pub struct Table;

/// A queue.
#[pin_data(PinnedDrop)]
pub struct Queue {
    dev: ARef<Device>,

    /// The shadow of the table.
    #[cfg(debug_assertions)]
    #[pin]
    shadow: ::kernel::devres::Lazy<Table>,

    /// The queue's translation table.
    #[pin]
    table: ::kernel::devres::Lazy<Table>,
}

impl Queue {
    #[cfg(debug_assertions)]
    /// The shadow of the table.
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
    pub fn shadow<'a>(&'a self, dev: &'a Device<::kernel::device::Bound>) -> Result<&'a Table> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(shadow) = ::kernel::devres::Lazy::get(&self.shadow, dev) {
            return Ok(shadow);
        }

        self.shadow_slow(dev)
    }

    #[cfg(debug_assertions)]
    /// The slow path of `shadow()`: maps, or fails.
    #[cold]
    #[inline(never)]
    fn shadow_slow<'a>(&'a self, dev: &'a Device<::kernel::device::Bound>) -> Result<&'a Table> {
        // Refuse another device before anything is made for it.
        if !self.shadow_device_is(dev) {
            return Err(EINVAL);
        }

        // Slow path: one caller populates the field. The others sleep here, and get what it has
        // made.
        let slot = match ::kernel::devres::Lazy::entry(&self.shadow, dev)? {
            ::kernel::devres::Entry::Populated(shadow) => {
                return Ok(shadow);
            }
            ::kernel::devres::Entry::Vacant(slot) => slot,
        };

        // Only this caller has `slot`, so `populate()` cannot find the field populated.
        let shadow = ::kernel::devres::Vacant::populate(slot, || Ok(Table))?;

        Ok(shadow)
    }

    #[cfg(debug_assertions)]
    /// Returns whether this object belongs to the given device.
    fn shadow_device_is(&self, other: &Device<::kernel::device::Bound>) -> bool {
        ::kernel::devres::same_device(&self.dev, other)
    }

    #[cfg(debug_assertions)]
    /// As `shadow()`, but only if the resource is mapped already.
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
    pub fn shadow_if_mapped<'a>(
        &'a self,
        dev: &'a Device<::kernel::device::Bound>,
    ) -> Result<Option<&'a Table>> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(shadow) = ::kernel::devres::Lazy::get(&self.shadow, dev) {
            return Ok(Some(shadow));
        }

        // Tell another device from a field that is empty or revoked.
        if !self.shadow_device_is(dev) {
            return Err(EINVAL);
        }

        Ok(None)
    }

    #[cfg(debug_assertions)]
    /// Returns the resource that `shadow()` has mapped, without a bound device.
    ///
    /// `None` if nothing is mapped, or if unbind has revoked the resource. Never maps.
    ///
    /// # Context
    ///
    /// Does not sleep. The holder of the guard must not sleep either: the guard is an RCU
    /// read-side critical section, which unbind waits for.
    #[inline]
    pub fn try_shadow(&self) -> Option<::kernel::devres::LazyGuard<'_, Table>> {
        ::kernel::devres::Lazy::try_access(&self.shadow)
    }

    #[cfg(debug_assertions)]
    /// Unmaps now the resource that `shadow()` has mapped, if there is one.
    ///
    /// The next call of `shadow()` maps anew, also if the device was unbound in between.
    ///
    /// # Context
    ///
    /// May sleep: if unbind is unmapping the resource, this waits for unbind.
    pub fn unmap_shadow(self: Pin<&mut Self>) {
        ::kernel::devres::Lazy::revoke(Self::project(self).shadow);
    }

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

    /// Returns whether this object belongs to the given device.
    fn table_device_is(&self, other: &Device<::kernel::device::Bound>) -> bool {
        ::kernel::devres::same_device(&self.dev, other)
    }
}

impl ::kernel::devres::LazyOwner for Queue {
    fn teardown(self: Pin<&mut Self>) {
        // In reverse order of declaration, as a field may depend on those above it.
        let this = Self::project(self);
        ::kernel::devres::Lazy::<Table>::retire(this.table);
        #[cfg(debug_assertions)]
        ::kernel::devres::Lazy::<Table>::retire(this.shadow);
    }
}

#[pinned_drop]
impl PinnedDrop for Queue {
    fn drop(self: Pin<&mut Self>) {
        // The lazy fields go first, while the rest of `*self` is whole.
        ::kernel::devres::LazyOwner::teardown(self);
    }
}
