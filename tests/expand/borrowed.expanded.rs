// SPDX-License-Identifier: Apache-2.0 OR MIT
// Expanded from borrowed.rs by cargo-devres-lazy; S1, S2, ..: see its docs/safety.md.

//! Resources that borrow the bound device.

use kernel::{
    device::{
        Bound,
        Device, //
    },
    pci::{
        self,
        Bar, //
    },
    prelude::*,
    sync::aref::ARef,
    types::ForLt, //
};

/// Finds the PCI device.
fn pdev(dev: &Device<Bound>) -> Result<&pci::Device<Bound>> {
    dev.try_into()
}

/// A queue.
#[pin_data(PinnedDrop)]
pub struct Queue {
    dev: ARef<Device>,

    /// The registers of the queue.
    #[pin]
    bar: ::kernel::devres::LazyLt<ForLt!(Bar<'_>)>,

    /// The doorbells of the queue.
    #[pin]
    doorbells: ::kernel::devres::LazyLt<ForLt!(for<'d> KBox<Bar<'d, 16>>)>,
}

impl Queue {
    /// The registers of the queue.
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
    ///
    /// It borrows from the device: no part of it can be kept for longer than `dev` is
    /// borrowed.
    #[inline]
    pub fn bar<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'a Bar<'a>> {
        // Fast path: `self.bar` is populated for `dev`, and has not been revoked.
        if let ::core::option::Option::Some(bar) =
            ::kernel::devres::LazyLt::get_with(&self.bar, dev, |bar| bar)
        {
            return ::core::result::Result::Ok(bar);
        }

        // Not populated, revoked, or `dev` is another device: `bar_slow()` maps, or tells which.
        self.bar_slow(dev)
    }

    /// The slow path of `bar()`: maps, or tells why not.
    #[cold]
    #[inline(never)]
    fn bar_slow<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'a Bar<'a>> {
        // Refuse any device but the one that `self` belongs to, before anything is made for it.
        if !self.bar_device_is(dev) {
            return ::core::result::Result::Err(::kernel::error::code::EINVAL);
        }

        // Slow path: one caller at a time populates `self.bar`. The others sleep here until that
        // caller is done, and find it populated.
        //
        // The first closure runs when all other checks have passed: `.iomap_region()` makes the
        // resource. It compiles for every lifetime of the device, so the resource borrows from that
        // device only, and unbind drops it first. The second one shows that the resource's type is
        // covariant. On an error (`ENXIO` if unbind has begun meanwhile, or what `.iomap_region()`
        // fails with) `self.bar` is empty again, and a later call may succeed.
        //
        // INVARIANT: When this succeeds, `self.bar` holds the resource, for `dev`, until `dev` is
        // unbound, `self.bar` is revoked, or `*self` is dropped.
        let bar = ::kernel::devres::LazyLt::get_or_populate_with(
            &self.bar,
            dev,
            |dev, place| {
                ::kernel::devres::PlaceLt::make(place, pdev(dev)?.iomap_region(0, c"queue")?)
            },
            |bar| bar,
        )?;

        ::core::result::Result::Ok(bar)
    }

    /// Returns whether this object belongs to the given device.
    fn bar_device_is(
        &self,
        other: &::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::core::primitive::bool {
        ::kernel::devres::same_device(&self.dev, other)
    }

    /// As `bar()`, but only if it is mapped already.
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
    pub fn bar_if_mapped<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<::core::option::Option<&'a Bar<'a>>> {
        // Fast path: `self.bar` is populated for `dev`, and has not been revoked.
        if let ::core::option::Option::Some(bar) =
            ::kernel::devres::LazyLt::get_with(&self.bar, dev, |bar| bar)
        {
            return ::core::result::Result::Ok(::core::option::Option::Some(bar));
        }

        // `self.bar` has nothing for `dev`. Tell the wrong device from a slot that is empty or
        // revoked.
        if !self.bar_device_is(dev) {
            return ::core::result::Result::Err(::kernel::error::code::EINVAL);
        }

        ::core::result::Result::Ok(::core::option::Option::None)
    }

    /// Unmaps now what `bar()` has mapped, if anything.
    ///
    /// The next call of it maps anew, also if the device was unbound in between.
    ///
    /// # Context
    ///
    /// May sleep: if the device is being unbound, until that has unmapped it.
    pub fn unmap_bar(self: ::core::pin::Pin<&mut Self>) {
        // `self` is borrowed exclusively, so nobody borrows what `self.bar` holds.
        ::kernel::devres::LazyLt::revoke(Self::project(self).bar);
    }

    /// The doorbells of the queue.
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
    ///
    /// It borrows from the device: no part of it can be kept for longer than `dev` is
    /// borrowed.
    #[inline]
    fn doorbells<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'a KBox<Bar<'a, 16>>> {
        // Fast path: `self.doorbells` is populated for `dev`, and has not been revoked.
        if let ::core::option::Option::Some(doorbells) =
            ::kernel::devres::LazyLt::get_with(&self.doorbells, dev, |doorbells| doorbells)
        {
            return ::core::result::Result::Ok(doorbells);
        }

        // Not populated, revoked, or `dev` is another device: `doorbells_slow()` maps, or tells
        // which.
        self.doorbells_slow(dev)
    }

    /// The slow path of `doorbells()`: maps, or tells why not.
    #[cold]
    #[inline(never)]
    fn doorbells_slow<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'a KBox<Bar<'a, 16>>> {
        // Refuse any device but the one that `self` belongs to, before anything is made for it.
        if !self.doorbells_device_is(dev) {
            return ::core::result::Result::Err(::kernel::error::code::EINVAL);
        }

        // Slow path: one caller at a time populates `self.doorbells`. The others sleep here until
        // that caller is done, and find it populated.
        //
        // The first closure runs when all other checks have passed: `KBox::new()` makes the
        // resource. It compiles for every lifetime of the device, so the resource borrows from that
        // device only, and unbind drops it first. The second one shows that the resource's type is
        // covariant. On an error (`ENXIO` if unbind has begun meanwhile, or what `KBox::new()`
        // fails with) `self.doorbells` is empty again, and a later call may succeed.
        //
        // INVARIANT: When this succeeds, `self.doorbells` holds the resource, for `dev`, until
        // `dev` is unbound, `self.doorbells` is revoked, or `*self` is dropped.
        let doorbells = ::kernel::devres::LazyLt::get_or_populate_with(
            &self.doorbells,
            dev,
            |dev, place| {
                ::kernel::devres::PlaceLt::make(
                    place,
                    KBox::new(
                        pdev(dev)?.iomap_region_sized::<16>(2, c"doorbells")?,
                        GFP_KERNEL,
                    )?,
                )
            },
            |doorbells| doorbells,
        )?;

        ::core::result::Result::Ok(doorbells)
    }

    /// Returns whether this object belongs to the given device.
    fn doorbells_device_is(
        &self,
        other: &::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::core::primitive::bool {
        ::kernel::devres::same_device(&self.dev, other)
    }
}

impl ::kernel::devres::LazyOwner for Queue {
    fn teardown(self: ::core::pin::Pin<&mut Self>) {
        // `self.doorbells`, `self.bar`: in the reverse order of declaration, as one may lean on
        // those before it. What each holds is dropped while all other parts of `*self` are whole,
        // and nobody populates it again (S1).
        let this = Self::project(self);
        ::kernel::devres::LazyLt::<ForLt!(for<'d> KBox<Bar<'d, 16>>)>::retire(this.doorbells);
        ::kernel::devres::LazyLt::<ForLt!(Bar<'_>)>::retire(this.bar);
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
