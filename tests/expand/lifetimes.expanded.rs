// SPDX-License-Identifier: Apache-2.0 OR MIT
// Expanded from lifetimes.rs by cargo-devres-lazy; S1, S2, ..: see its docs/safety.md.

//! Lifetimes of the struct and of a type: the accessor's is another one.

use kernel::{
    device::Device,
    prelude::*, //
};

/// Finds an entry.
pub type Lookup = fn(&u32) -> &u32;

/// A queue.
#[pin_data(PinnedDrop)]
pub struct Queue<'a> {
    dev: &'a Device,

    lookup: Lookup,

    /// Finds an entry.
    #[pin]
    lazy_lookup: ::kernel::devres::Lazy<for<'b> fn(&'b u32) -> &'b u32>,
}

impl<'a> Queue<'a> {
    /// Finds an entry.
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
    pub fn lookup<'c>(
        &'c self,
        dev: &'c ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'c Lookup> {
        // Fast path: `self.lazy_lookup` is populated for `dev`, and has not been revoked.
        if let ::core::option::Option::Some(lazy_lookup) =
            ::kernel::devres::Lazy::get(&self.lazy_lookup, dev)
        {
            return ::core::result::Result::Ok(lazy_lookup);
        }

        // Not populated, revoked, or `dev` is another device: `lookup_slow()` maps, or tells which.
        self.lookup_slow(dev)
    }

    /// The slow path of `lookup()`: maps, or tells why not.
    #[cold]
    #[inline(never)]
    fn lookup_slow<'c>(
        &'c self,
        dev: &'c ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'c Lookup> {
        // Any thread may borrow what `self.lazy_lookup` lends: it has to be `Send` and `Sync`.
        const fn lazy_lookup_is_send_and_sync<T>()
        where
            T: ::core::marker::Send + ::core::marker::Sync + ?::core::marker::Sized,
        {
        }
        lazy_lookup_is_send_and_sync::<Lookup>();

        // Refuse any device but the one that `self` belongs to, before anything is made for it.
        if !self.lookup_device_is(dev) {
            return ::core::result::Result::Err(::kernel::error::code::EINVAL);
        }

        // Slow path: one caller at a time populates `self.lazy_lookup`. The others sleep here until
        // that caller is done.
        let slot = match ::kernel::devres::Lazy::entry(&self.lazy_lookup, dev)? {
            ::kernel::devres::Entry::Populated(lazy_lookup) => {
                return ::core::result::Result::Ok(lazy_lookup);
            }
            ::kernel::devres::Entry::Vacant(slot) => slot,
        };

        // `populate()` cannot find `self.lazy_lookup` populated: nobody else populates it while
        // this caller has `slot`.
        //
        // The closure runs when all other checks have passed: the initialiser in it makes the
        // resource. On an error (`ENXIO` if unbind has begun meanwhile, or what the initialiser in
        // it fails with) `self.lazy_lookup` is empty again, and a later call may succeed.
        //
        // INVARIANT: When this succeeds, `self.lazy_lookup` holds the resource, for `dev`, until
        // `dev` is unbound, `self.lazy_lookup` is revoked, or `*self` is dropped.
        let lazy_lookup =
            ::kernel::devres::Vacant::populate(slot, || ::core::result::Result::Ok(self.lookup))?;

        ::core::result::Result::Ok(lazy_lookup)
    }

    /// Returns whether this object belongs to the given device.
    fn lookup_device_is(
        &self,
        other: &::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::core::primitive::bool {
        ::kernel::devres::same_device(self.dev, other)
    }
}

impl<'a> ::kernel::devres::LazyOwner for Queue<'a> {
    fn teardown(self: ::core::pin::Pin<&mut Self>) {
        // `self.lazy_lookup` goes first: what it holds is dropped while all other parts of `*self`
        // are whole, and nobody populates it again (S1).
        let this = Self::project(self);
        ::kernel::devres::Lazy::<for<'b> fn(&'b u32) -> &'b u32>::retire(this.lazy_lookup);
    }
}

#[::kernel::prelude::pinned_drop]
impl<'a> PinnedDrop for Queue<'a> {
    fn drop(self: ::core::pin::Pin<&mut Self>) {
        // First of all, while all of `*self` is whole: drops what the lazy fields hold, for good
        // (S1).
        ::kernel::devres::LazyOwner::teardown(self);
    }
}
