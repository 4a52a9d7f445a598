// SPDX-License-Identifier: Apache-2.0 OR MIT
// Expanded from visibility.rs by cargo-devres-lazy; S1, S2, ..: see its docs/safety.md.

//! The visibility of the accessor, which the other functions of its field have too.

use kernel::{
    device::Device,
    prelude::*,
    sync::aref::ARef, //
};

/// A table.
pub struct Table;

/// A queue.
#[pin_data(PinnedDrop)]
pub struct Queue {
    dev: ARef<Device>,

    /// Public.
    #[pin]
    a: ::kernel::devres::Lazy<Table>,

    /// The crate's.
    #[pin]
    b: ::kernel::devres::Lazy<Table>,

    /// The parent's.
    #[pin]
    c: ::kernel::devres::Lazy<Table>,

    /// Private, of a public field.
    #[pin]
    pub d: ::kernel::devres::Lazy<Table>,
}

impl Queue {
    /// Public.
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
    pub fn a<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'a Table> {
        // Fast path: `self.a` is populated for `dev`, and has not been revoked.
        if let ::core::option::Option::Some(a) = ::kernel::devres::Lazy::get(&self.a, dev) {
            return ::core::result::Result::Ok(a);
        }

        // Not populated, revoked, or `dev` is another device: `a_slow()` maps, or tells which.
        self.a_slow(dev)
    }

    /// The slow path of `a()`: maps, or tells why not.
    #[cold]
    #[inline(never)]
    fn a_slow<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'a Table> {
        // Refuse any device but the one that `self` belongs to, before anything is made for it.
        if !self.a_device_is(dev) {
            return ::core::result::Result::Err(::kernel::error::code::EINVAL);
        }

        // Slow path: one caller at a time populates `self.a`. The others sleep here until that
        // caller is done.
        let slot = match ::kernel::devres::Lazy::entry(&self.a, dev)? {
            ::kernel::devres::Entry::Populated(a) => {
                return ::core::result::Result::Ok(a);
            }
            ::kernel::devres::Entry::Vacant(slot) => slot,
        };

        // `populate()` cannot find `self.a` populated: nobody else populates it while this caller
        // has `slot`.
        //
        // The closure runs when all other checks have passed: `Table` makes the resource. On an
        // error (`ENXIO` if unbind has begun meanwhile, or what `Table` fails with) `self.a` is
        // empty again, and a later call may succeed.
        //
        // INVARIANT: When this succeeds, `self.a` holds the resource, for `dev`, until `dev` is
        // unbound, `self.a` is revoked, or `*self` is dropped.
        let a = ::kernel::devres::Vacant::populate(slot, || ::core::result::Result::Ok(Table))?;

        ::core::result::Result::Ok(a)
    }

    /// Returns whether this object belongs to the given device.
    fn a_device_is(
        &self,
        other: &::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::core::primitive::bool {
        ::kernel::devres::same_device(&self.dev, other)
    }

    /// As `a()`, but only if it is mapped already.
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
    pub fn a_if_mapped<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<::core::option::Option<&'a Table>> {
        // Fast path: `self.a` is populated for `dev`, and has not been revoked.
        if let ::core::option::Option::Some(a) = ::kernel::devres::Lazy::get(&self.a, dev) {
            return ::core::result::Result::Ok(::core::option::Option::Some(a));
        }

        // `self.a` has nothing for `dev`. Tell the wrong device from a slot that is empty or
        // revoked.
        if !self.a_device_is(dev) {
            return ::core::result::Result::Err(::kernel::error::code::EINVAL);
        }

        ::core::result::Result::Ok(::core::option::Option::None)
    }

    /// The crate's.
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
    pub(crate) fn b<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'a Table> {
        // Fast path: `self.b` is populated for `dev`, and has not been revoked.
        if let ::core::option::Option::Some(b) = ::kernel::devres::Lazy::get(&self.b, dev) {
            return ::core::result::Result::Ok(b);
        }

        // Not populated, revoked, or `dev` is another device: `b_slow()` maps, or tells which.
        self.b_slow(dev)
    }

    /// The slow path of `b()`: maps, or tells why not.
    #[cold]
    #[inline(never)]
    fn b_slow<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'a Table> {
        // Refuse any device but the one that `self` belongs to, before anything is made for it.
        if !self.b_device_is(dev) {
            return ::core::result::Result::Err(::kernel::error::code::EINVAL);
        }

        // Slow path: one caller at a time populates `self.b`. The others sleep here until that
        // caller is done.
        let slot = match ::kernel::devres::Lazy::entry(&self.b, dev)? {
            ::kernel::devres::Entry::Populated(b) => {
                return ::core::result::Result::Ok(b);
            }
            ::kernel::devres::Entry::Vacant(slot) => slot,
        };

        // `populate()` cannot find `self.b` populated: nobody else populates it while this caller
        // has `slot`.
        //
        // The closure runs when all other checks have passed: `Table` makes the resource. On an
        // error (`ENXIO` if unbind has begun meanwhile, or what `Table` fails with) `self.b` is
        // empty again, and a later call may succeed.
        //
        // INVARIANT: When this succeeds, `self.b` holds the resource, for `dev`, until `dev` is
        // unbound, `self.b` is revoked, or `*self` is dropped.
        let b = ::kernel::devres::Vacant::populate(slot, || ::core::result::Result::Ok(Table))?;

        ::core::result::Result::Ok(b)
    }

    /// Returns whether this object belongs to the given device.
    fn b_device_is(
        &self,
        other: &::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::core::primitive::bool {
        ::kernel::devres::same_device(&self.dev, other)
    }

    /// Lends what `b()` has mapped, without needing a bound device.
    ///
    /// `None` if nothing is mapped, or if it was revoked by unbinding the device. Never maps.
    ///
    /// # Context
    ///
    /// Does not sleep, and nobody may sleep while holding the guard: it is an RCU read-side
    /// critical section, which unbind waits for.
    #[inline]
    pub(crate) fn try_b(&self) -> ::core::option::Option<::kernel::devres::LazyGuard<'_, Table>> {
        // No lock and no device: the guard is an RCU read-side critical section, and unbind waits
        // for it before it drops what `self.b` holds.
        ::kernel::devres::Lazy::try_access(&self.b)
    }

    /// The parent's.
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
    pub(super) fn c<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'a Table> {
        // Fast path: `self.c` is populated for `dev`, and has not been revoked.
        if let ::core::option::Option::Some(c) = ::kernel::devres::Lazy::get(&self.c, dev) {
            return ::core::result::Result::Ok(c);
        }

        // Not populated, revoked, or `dev` is another device: `c_slow()` maps, or tells which.
        self.c_slow(dev)
    }

    /// The slow path of `c()`: maps, or tells why not.
    #[cold]
    #[inline(never)]
    fn c_slow<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'a Table> {
        // Refuse any device but the one that `self` belongs to, before anything is made for it.
        if !self.c_device_is(dev) {
            return ::core::result::Result::Err(::kernel::error::code::EINVAL);
        }

        // Slow path: one caller at a time populates `self.c`. The others sleep here until that
        // caller is done.
        let slot = match ::kernel::devres::Lazy::entry(&self.c, dev)? {
            ::kernel::devres::Entry::Populated(c) => {
                return ::core::result::Result::Ok(c);
            }
            ::kernel::devres::Entry::Vacant(slot) => slot,
        };

        // `populate()` cannot find `self.c` populated: nobody else populates it while this caller
        // has `slot`.
        //
        // The closure runs when all other checks have passed: `Table` makes the resource. On an
        // error (`ENXIO` if unbind has begun meanwhile, or what `Table` fails with) `self.c` is
        // empty again, and a later call may succeed.
        //
        // INVARIANT: When this succeeds, `self.c` holds the resource, for `dev`, until `dev` is
        // unbound, `self.c` is revoked, or `*self` is dropped.
        let c = ::kernel::devres::Vacant::populate(slot, || ::core::result::Result::Ok(Table))?;

        ::core::result::Result::Ok(c)
    }

    /// Returns whether this object belongs to the given device.
    fn c_device_is(
        &self,
        other: &::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::core::primitive::bool {
        ::kernel::devres::same_device(&self.dev, other)
    }

    /// Unmaps now what `c()` has mapped, if anything.
    ///
    /// The next call of it maps anew, also if the device was unbound in between.
    ///
    /// # Context
    ///
    /// May sleep: if the device is being unbound, until that has unmapped it.
    pub(super) fn unmap_c(self: ::core::pin::Pin<&mut Self>) {
        // `self` is borrowed exclusively, so nobody borrows what `self.c` holds.
        ::kernel::devres::Lazy::revoke(Self::project(self).c);
    }

    /// Private, of a public field.
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
    fn d<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'a Table> {
        // Fast path: `self.d` is populated for `dev`, and has not been revoked.
        if let ::core::option::Option::Some(d) = ::kernel::devres::Lazy::get(&self.d, dev) {
            return ::core::result::Result::Ok(d);
        }

        // Not populated, revoked, or `dev` is another device: `d_slow()` maps, or tells which.
        self.d_slow(dev)
    }

    /// The slow path of `d()`: maps, or tells why not.
    #[cold]
    #[inline(never)]
    fn d_slow<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'a Table> {
        // Refuse any device but the one that `self` belongs to, before anything is made for it.
        if !self.d_device_is(dev) {
            return ::core::result::Result::Err(::kernel::error::code::EINVAL);
        }

        // Slow path: one caller at a time populates `self.d`. The others sleep here until that
        // caller is done.
        let slot = match ::kernel::devres::Lazy::entry(&self.d, dev)? {
            ::kernel::devres::Entry::Populated(d) => {
                return ::core::result::Result::Ok(d);
            }
            ::kernel::devres::Entry::Vacant(slot) => slot,
        };

        // `populate()` cannot find `self.d` populated: nobody else populates it while this caller
        // has `slot`.
        //
        // The closure runs when all other checks have passed: `Table` makes the resource. On an
        // error (`ENXIO` if unbind has begun meanwhile, or what `Table` fails with) `self.d` is
        // empty again, and a later call may succeed.
        //
        // INVARIANT: When this succeeds, `self.d` holds the resource, for `dev`, until `dev` is
        // unbound, `self.d` is revoked, or `*self` is dropped.
        let d = ::kernel::devres::Vacant::populate(slot, || ::core::result::Result::Ok(Table))?;

        ::core::result::Result::Ok(d)
    }

    /// Returns whether this object belongs to the given device.
    fn d_device_is(
        &self,
        other: &::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::core::primitive::bool {
        ::kernel::devres::same_device(&self.dev, other)
    }

    /// As `d()`, but only if it is mapped already.
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
    fn d_if_mapped<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<::core::option::Option<&'a Table>> {
        // Fast path: `self.d` is populated for `dev`, and has not been revoked.
        if let ::core::option::Option::Some(d) = ::kernel::devres::Lazy::get(&self.d, dev) {
            return ::core::result::Result::Ok(::core::option::Option::Some(d));
        }

        // `self.d` has nothing for `dev`. Tell the wrong device from a slot that is empty or
        // revoked.
        if !self.d_device_is(dev) {
            return ::core::result::Result::Err(::kernel::error::code::EINVAL);
        }

        ::core::result::Result::Ok(::core::option::Option::None)
    }
}

impl ::kernel::devres::LazyOwner for Queue {
    fn teardown(self: ::core::pin::Pin<&mut Self>) {
        // `self.d`, `self.c`, `self.b`, `self.a`: in the reverse order of declaration, as one may
        // lean on those before it. What each holds is dropped while all other parts of `*self` are
        // whole, and nobody populates it again (S1).
        let this = Self::project(self);
        ::kernel::devres::Lazy::<Table>::retire(this.d);
        ::kernel::devres::Lazy::<Table>::retire(this.c);
        ::kernel::devres::Lazy::<Table>::retire(this.b);
        ::kernel::devres::Lazy::<Table>::retire(this.a);
    }
}

#[::kernel::prelude::pinned_drop]
impl PinnedDrop for Queue {
    fn drop(self: ::core::pin::Pin<&mut Self>) {
        // First of all, while all of `*self` is whole: drops what the lazy fields hold, for good
        // (S1).
        ::kernel::devres::LazyOwner::teardown(self);
    }
}
