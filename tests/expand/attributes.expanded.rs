// SPDX-License-Identifier: Apache-2.0 OR MIT
// Expanded from attributes.rs by cargo-devres-lazy; S1, S2, ..: see its docs/safety.md.

//! Which attributes of the struct and of its fields go on what is generated.

use kernel::{device::Device, prelude::*, sync::aref::ARef};

/// A table.
pub struct Table;

/// A queue.
#[pin_data(PinnedDrop)]
#[cfg(not(miri))]
#[allow(non_snake_case, reason = "as the manual has it")]
pub struct Queue {
    dev: ARef<Device>,

    /// The page table.
    #[doc(alias("PTE", "page_table"))]
    #[pin]
    pte: ::kernel::devres::Lazy<Table>,

    #[cfg_attr(not(miri), cfg(not(miri)), doc = "Under a condition.", allow(unused))]
    #[doc(hidden)]
    #[pin]
    ring: ::kernel::devres::Lazy<Table>,
}

#[cfg(not(miri))]
#[allow(non_snake_case, reason = "as the manual has it")]
impl Queue {
    /// The page table.
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
    #[doc(alias("page_table"))]
    #[deprecated(since = "7.3.0", note = "use `ring`")]
    #[inline]
    pub fn PTE<'a>(&'a self, dev: &'a Device<::kernel::device::Bound>) -> Result<&'a Table> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(pte) = ::kernel::devres::Lazy::get(&self.pte, dev) {
            return Ok(pte);
        }

        self.PTE_slow(dev)
    }

    /// The slow path of `PTE()`: maps, or fails.
    #[cold]
    #[inline(never)]
    fn PTE_slow<'a>(&'a self, dev: &'a Device<::kernel::device::Bound>) -> Result<&'a Table> {
        // Refuse another device before anything is made for it.
        if !self.PTE_device_is(dev) {
            return Err(EINVAL);
        }

        // Slow path: one caller populates the field. The others sleep here, and get what it has
        // made.
        let slot = match ::kernel::devres::Lazy::entry(&self.pte, dev)? {
            ::kernel::devres::Entry::Populated(pte) => {
                return Ok(pte);
            }
            ::kernel::devres::Entry::Vacant(slot) => slot,
        };

        // Only this caller has `slot`, so `populate()` cannot find the field populated.
        let pte = ::kernel::devres::Vacant::populate(slot, || Ok(Table))?;

        Ok(pte)
    }

    /// Returns whether this object belongs to the given device.
    fn PTE_device_is(&self, other: &Device<::kernel::device::Bound>) -> bool {
        ::kernel::devres::same_device(&self.dev, other)
    }

    /// As `PTE()`, but only if the resource is mapped already.
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
    #[deprecated(since = "7.3.0", note = "use `ring`")]
    pub fn PTE_if_mapped<'a>(
        &'a self,
        dev: &'a Device<::kernel::device::Bound>,
    ) -> Result<Option<&'a Table>> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(pte) = ::kernel::devres::Lazy::get(&self.pte, dev) {
            return Ok(Some(pte));
        }

        // Tell another device from a field that is empty or revoked.
        if !self.PTE_device_is(dev) {
            return Err(EINVAL);
        }

        Ok(None)
    }

    #[cfg_attr(not(miri), cfg(not(miri)))]
    /// Returns `ring`, which is mapped on first use.
    #[cfg_attr(not(miri), doc = "Under a condition.")]
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
    #[doc(hidden)]
    #[cfg_attr(not(miri), allow(unused))]
    #[inline]
    pub fn ring<'a>(&'a self, dev: &'a Device<::kernel::device::Bound>) -> Result<&'a Table> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(ring) = ::kernel::devres::Lazy::get(&self.ring, dev) {
            return Ok(ring);
        }

        self.ring_slow(dev)
    }

    #[cfg_attr(not(miri), cfg(not(miri)))]
    /// The slow path of `ring()`: maps, or fails.
    #[cfg_attr(not(miri), allow(unused))]
    #[cold]
    #[inline(never)]
    fn ring_slow<'a>(&'a self, dev: &'a Device<::kernel::device::Bound>) -> Result<&'a Table> {
        // Refuse another device before anything is made for it.
        if !self.ring_device_is(dev) {
            return Err(EINVAL);
        }

        // Slow path: one caller populates the field. The others sleep here, and get what it has
        // made.
        let slot = match ::kernel::devres::Lazy::entry(&self.ring, dev)? {
            ::kernel::devres::Entry::Populated(ring) => {
                return Ok(ring);
            }
            ::kernel::devres::Entry::Vacant(slot) => slot,
        };

        // Only this caller has `slot`, so `populate()` cannot find the field populated.
        let ring = ::kernel::devres::Vacant::populate(slot, || Ok(Table))?;

        Ok(ring)
    }

    #[cfg_attr(not(miri), cfg(not(miri)))]
    /// Returns whether this object belongs to the given device.
    #[cfg_attr(not(miri), allow(unused))]
    fn ring_device_is(&self, other: &Device<::kernel::device::Bound>) -> bool {
        ::kernel::devres::same_device(&self.dev, other)
    }

    #[cfg_attr(not(miri), cfg(not(miri)))]
    /// Unmaps now the resource that `ring()` has mapped, if there is one.
    ///
    /// The next call of `ring()` maps anew, also if the device was unbound in between.
    ///
    /// # Context
    ///
    /// May sleep: if unbind is unmapping the resource, this waits for unbind.
    #[doc(hidden)]
    #[cfg_attr(not(miri), allow(unused))]
    pub fn unmap_ring(self: Pin<&mut Self>) {
        ::kernel::devres::Lazy::revoke(Self::project(self).ring);
    }
}

#[cfg(not(miri))]
#[allow(non_snake_case, reason = "as the manual has it")]
impl ::kernel::devres::LazyOwner for Queue {
    fn teardown(self: Pin<&mut Self>) {
        // In reverse order of declaration, as a field may depend on those above it.
        let this = Self::project(self);
        #[cfg_attr(not(miri), cfg(not(miri)))]
        #[cfg_attr(not(miri), allow(unused))]
        ::kernel::devres::Lazy::<Table>::retire(this.ring);
        ::kernel::devres::Lazy::<Table>::retire(this.pte);
    }
}

#[cfg(not(miri))]
#[pinned_drop]
impl PinnedDrop for Queue {
    fn drop(self: Pin<&mut Self>) {
        // The lazy fields go first, while the rest of `*self` is whole.
        ::kernel::devres::LazyOwner::teardown(self);
    }
}
