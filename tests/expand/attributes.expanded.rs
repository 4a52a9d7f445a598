// SPDX-License-Identifier: Apache-2.0 OR MIT
// Expanded from attributes.rs by cargo-devres-lazy; S1, S2, ..: see its docs/safety.md.

//! Which attributes of the struct and of its fields go on what is generated.

use kernel::{
    device::Device,
    prelude::*,
    sync::aref::ARef, //
};

/// A table.
pub struct Table;

/// A queue.
#[pin_data(PinnedDrop)]
#[cfg(not(miri))]
#[allow(non_snake_case, reason = "as the manual has it")]
pub struct Queue {
    dev: ARef<Device>,

    /// The page table.
    #[doc(alias = "PTE")]
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
    #[deprecated(since = "7.3.0", note = "use `ring`")]
    #[inline]
    pub fn PTE<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'a Table> {
        // Fast path: `self.pte` is populated for `dev`, and has not been revoked.
        if let ::core::option::Option::Some(pte) = ::kernel::devres::Lazy::get(&self.pte, dev) {
            return ::core::result::Result::Ok(pte);
        }

        // Not populated, revoked, or `dev` is another device: `PTE_slow()` maps, or tells which.
        self.PTE_slow(dev)
    }

    /// The slow path of `PTE()`: maps, or tells why not.
    #[cold]
    #[inline(never)]
    fn PTE_slow<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'a Table> {
        // Refuse any device but the one that `self` belongs to, before anything is made for it.
        if !self.PTE_device_is(dev) {
            return ::core::result::Result::Err(::kernel::error::code::EINVAL);
        }

        // Slow path: one caller at a time populates `self.pte`. The others sleep here until that
        // caller is done.
        let slot = match ::kernel::devres::Lazy::entry(&self.pte, dev)? {
            ::kernel::devres::Entry::Populated(pte) => {
                return ::core::result::Result::Ok(pte);
            }
            ::kernel::devres::Entry::Vacant(slot) => slot,
        };

        // `populate()` cannot find `self.pte` populated: nobody else populates it while this caller
        // has `slot`.
        //
        // The closure runs when all other checks have passed: `Table` makes the resource. On an
        // error (`ENXIO` if unbind has begun meanwhile, or what `Table` fails with) `self.pte` is
        // empty again, and a later call may succeed.
        //
        // INVARIANT: When this succeeds, `self.pte` holds the resource, for `dev`, until `dev` is
        // unbound, `self.pte` is revoked, or `*self` is dropped.
        let pte = ::kernel::devres::Vacant::populate(slot, || ::core::result::Result::Ok(Table))?;

        ::core::result::Result::Ok(pte)
    }

    /// Returns whether this object belongs to the given device.
    fn PTE_device_is(
        &self,
        other: &::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::core::primitive::bool {
        ::kernel::devres::same_device(&self.dev, other)
    }

    /// As `PTE()`, but only if it is mapped already.
    ///
    /// `None` if it is not, or if it was revoked when the device was unbound. Never maps.
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
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<::core::option::Option<&'a Table>> {
        // Fast path: `self.pte` is populated for `dev`, and has not been revoked.
        if let ::core::option::Option::Some(pte) = ::kernel::devres::Lazy::get(&self.pte, dev) {
            return ::core::result::Result::Ok(::core::option::Option::Some(pte));
        }

        // `self.pte` has nothing for `dev`. Tell the wrong device from a slot that is empty or
        // revoked.
        if !self.PTE_device_is(dev) {
            return ::core::result::Result::Err(::kernel::error::code::EINVAL);
        }

        ::core::result::Result::Ok(::core::option::Option::None)
    }

    #[cfg_attr(not(miri), cfg(not(miri)))]
    /// Lends `ring`, which is mapped on first use.
    #[cfg_attr(not(miri), doc = "Under a condition.")]
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
    #[doc(hidden)]
    #[cfg_attr(not(miri), allow(unused))]
    #[inline]
    pub fn ring<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'a Table> {
        // Fast path: `self.ring` is populated for `dev`, and has not been revoked.
        if let ::core::option::Option::Some(ring) = ::kernel::devres::Lazy::get(&self.ring, dev) {
            return ::core::result::Result::Ok(ring);
        }

        // Not populated, revoked, or `dev` is another device: `ring_slow()` maps, or tells which.
        self.ring_slow(dev)
    }

    #[cfg_attr(not(miri), cfg(not(miri)))]
    /// The slow path of `ring()`: maps, or tells why not.
    #[cfg_attr(not(miri), allow(unused))]
    #[cold]
    #[inline(never)]
    fn ring_slow<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'a Table> {
        // Refuse any device but the one that `self` belongs to, before anything is made for it.
        if !self.ring_device_is(dev) {
            return ::core::result::Result::Err(::kernel::error::code::EINVAL);
        }

        // Slow path: one caller at a time populates `self.ring`. The others sleep here until that
        // caller is done.
        let slot = match ::kernel::devres::Lazy::entry(&self.ring, dev)? {
            ::kernel::devres::Entry::Populated(ring) => {
                return ::core::result::Result::Ok(ring);
            }
            ::kernel::devres::Entry::Vacant(slot) => slot,
        };

        // `populate()` cannot find `self.ring` populated: nobody else populates it while this
        // caller has `slot`.
        //
        // The closure runs when all other checks have passed: `Table` makes the resource. On an
        // error (`ENXIO` if unbind has begun meanwhile, or what `Table` fails with) `self.ring` is
        // empty again, and a later call may succeed.
        //
        // INVARIANT: When this succeeds, `self.ring` holds the resource, for `dev`, until `dev` is
        // unbound, `self.ring` is revoked, or `*self` is dropped.
        let ring = ::kernel::devres::Vacant::populate(slot, || ::core::result::Result::Ok(Table))?;

        ::core::result::Result::Ok(ring)
    }

    #[cfg_attr(not(miri), cfg(not(miri)))]
    /// Returns whether this object belongs to the given device.
    #[cfg_attr(not(miri), allow(unused))]
    fn ring_device_is(
        &self,
        other: &::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::core::primitive::bool {
        ::kernel::devres::same_device(&self.dev, other)
    }

    #[cfg_attr(not(miri), cfg(not(miri)))]
    /// Unmaps now what `ring()` has mapped, if anything.
    ///
    /// The next call of it maps anew, also if the device was unbound in between.
    ///
    /// # Context
    ///
    /// May sleep: if the device is being unbound, until that has unmapped it.
    #[doc(hidden)]
    #[cfg_attr(not(miri), allow(unused))]
    pub fn unmap_ring(self: ::core::pin::Pin<&mut Self>) {
        // `self` is borrowed exclusively, so nobody borrows what `self.ring` holds.
        ::kernel::devres::Lazy::revoke(Self::project(self).ring);
    }
}

#[cfg(not(miri))]
#[allow(non_snake_case, reason = "as the manual has it")]
impl ::kernel::devres::LazyOwner for Queue {
    fn teardown(self: ::core::pin::Pin<&mut Self>) {
        // `self.ring`, `self.pte`: in the reverse order of declaration, as one may lean on those
        // before it. What each holds is dropped while all other parts of `*self` are whole, and
        // nobody populates it again (S1).
        let this = Self::project(self);
        #[cfg_attr(not(miri), cfg(not(miri)))]
        #[cfg_attr(not(miri), allow(unused))]
        ::kernel::devres::Lazy::<Table>::retire(this.ring);
        ::kernel::devres::Lazy::<Table>::retire(this.pte);
    }
}

#[cfg(not(miri))]
#[::kernel::prelude::pinned_drop]
impl PinnedDrop for Queue {
    fn drop(self: ::core::pin::Pin<&mut Self>) {
        // First of all, while all of `*self` is whole: drops what the lazy fields hold, for good
        // (S1).
        ::kernel::devres::LazyOwner::teardown(self);
    }
}
