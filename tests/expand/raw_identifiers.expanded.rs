// SPDX-License-Identifier: Apache-2.0 OR MIT
// Expanded from raw_identifiers.rs by cargo-devres-lazy; S1, S2, ..: see its docs/safety.md.

//! Raw identifiers: the struct, the field and the functions.

use kernel::{
    device::Device,
    prelude::*,
    sync::aref::ARef, //
};

/// A table.
#[allow(non_camel_case_types)]
pub struct r#enum;

/// A queue.
#[allow(non_camel_case_types)]
#[pin_data(PinnedDrop)]
pub struct r#struct {
    r#dyn: ARef<Device>,

    /// The queue's translation table.
    #[pin]
    r#type: ::kernel::devres::Lazy<r#enum>,
}

#[allow(non_camel_case_types)]
impl r#struct {
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
    pub fn r#match<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'a r#enum> {
        // Fast path: `self.r#type` is populated for `dev`, and has not been revoked.
        if let ::core::option::Option::Some(r#type) = ::kernel::devres::Lazy::get(&self.r#type, dev)
        {
            return ::core::result::Result::Ok(r#type);
        }

        // Not populated, revoked, or `dev` is another device: `match_slow()` maps, or tells which.
        self.match_slow(dev)
    }

    /// The slow path of `match()`: maps, or tells why not.
    #[cold]
    #[inline(never)]
    fn match_slow<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'a r#enum> {
        // Refuse any device but the one that `self` belongs to, before anything is made for it.
        if !self.match_device_is(dev) {
            return ::core::result::Result::Err(::kernel::error::code::EINVAL);
        }

        // Slow path: one caller at a time populates `self.r#type`. The others sleep here until that
        // caller is done.
        let slot = match ::kernel::devres::Lazy::entry(&self.r#type, dev)? {
            ::kernel::devres::Entry::Populated(r#type) => {
                return ::core::result::Result::Ok(r#type);
            }
            ::kernel::devres::Entry::Vacant(slot) => slot,
        };

        // `populate()` cannot find `self.r#type` populated: nobody else populates it while this
        // caller has `slot`.
        //
        // The closure runs when all other checks have passed: `r#enum` makes the resource. On an
        // error (`ENXIO` if unbind has begun meanwhile, or what `r#enum` fails with) `self.r#type`
        // is empty again, and a later call may succeed.
        //
        // INVARIANT: When this succeeds, `self.r#type` holds the resource, for `dev`, until `dev`
        // is unbound, `self.r#type` is revoked, or `*self` is dropped.
        let r#type =
            ::kernel::devres::Vacant::populate(slot, || ::core::result::Result::Ok(r#enum))?;

        ::core::result::Result::Ok(r#type)
    }

    /// Returns whether this object belongs to the given device.
    fn match_device_is(
        &self,
        other: &::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::core::primitive::bool {
        ::kernel::devres::same_device(&self.r#dyn, other)
    }

    /// As `match()`, but only if it is mapped already.
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
    pub fn r#if<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<::core::option::Option<&'a r#enum>> {
        // Fast path: `self.r#type` is populated for `dev`, and has not been revoked.
        if let ::core::option::Option::Some(r#type) = ::kernel::devres::Lazy::get(&self.r#type, dev)
        {
            return ::core::result::Result::Ok(::core::option::Option::Some(r#type));
        }

        // `self.r#type` has nothing for `dev`. Tell the wrong device from a slot that is empty or
        // revoked.
        if !self.match_device_is(dev) {
            return ::core::result::Result::Err(::kernel::error::code::EINVAL);
        }

        ::core::result::Result::Ok(::core::option::Option::None)
    }

    /// Lends what `match()` has mapped, without needing a bound device.
    ///
    /// `None` if nothing is mapped, or if it was revoked by unbinding the device. Never maps.
    ///
    /// # Context
    ///
    /// Does not sleep, and nobody may sleep while holding the guard: it is an RCU read-side
    /// critical section, which unbind waits for.
    #[inline]
    pub fn r#try(&self) -> ::core::option::Option<::kernel::devres::LazyGuard<'_, r#enum>> {
        // No lock and no device: the guard is an RCU read-side critical section, and unbind waits
        // for it before it drops what `self.r#type` holds.
        ::kernel::devres::Lazy::try_access(&self.r#type)
    }

    /// Unmaps now what `match()` has mapped, if anything.
    ///
    /// The next call of it maps anew, also if the device was unbound in between.
    ///
    /// # Context
    ///
    /// May sleep: if the device is being unbound, until that has unmapped it.
    pub fn r#move(self: ::core::pin::Pin<&mut Self>) {
        // `self` is borrowed exclusively, so nobody borrows what `self.r#type` holds.
        ::kernel::devres::Lazy::revoke(Self::project(self).r#type);
    }
}

#[allow(non_camel_case_types)]
impl ::kernel::devres::LazyOwner for r#struct {
    fn teardown(self: ::core::pin::Pin<&mut Self>) {
        // `self.r#type` goes first: what it holds is dropped while all other parts of `*self` are
        // whole, and nobody populates it again (S1).
        let this = Self::project(self);
        ::kernel::devres::Lazy::<r#enum>::retire(this.r#type);
    }
}

#[::kernel::prelude::pinned_drop]
impl PinnedDrop for r#struct {
    fn drop(self: ::core::pin::Pin<&mut Self>) {
        // First of all, while all of `*self` is whole: drops what the lazy fields hold, for good
        // (S1).
        ::kernel::devres::LazyOwner::teardown(self);
    }
}
