// SPDX-License-Identifier: Apache-2.0 OR MIT
// Expanded from probe.rs by cargo-devres-lazy; S1, S2, ..: see its docs/safety.md.

//! An object whose initialiser misbehaves.

use kernel::{
    device::{
        Bound,
        Device, //
    },
    new_lazy,
    prelude::*,
    sync::aref::ARef,
};
use std::sync::atomic::{
    AtomicU32,
    Ordering, //
};

/// An object whose initialiser misbehaves on the first call.
#[pin_data(PinnedDrop)]
pub(super) struct Probe {
    dev: ARef<Device>,
    made: AtomicU32,
    misbehave: fn(&Probe, &Device<Bound>),

    #[pin]
    number: ::kernel::devres::Lazy<u32>,
}

impl Probe {
    /// Lends `number`, which is mapped on first use.
    ///
    /// The first call maps it; later calls lend the same one without taking a lock.
    ///
    /// # Errors
    ///
    /// - `EINVAL` if `dev` is not the device that this object belongs to; nothing is mapped.
    /// - `ENXIO` if it was revoked when the device was unbound, also once it is bound again;
    ///   or if it is not mapped while unbind is under way, which might miss it.
    /// - `EDEADLK` if the caller is mapping it already; `EBUSY` if a caller in an earlier binding
    ///   of `dev` is still mapping it.
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
    pub(super) fn number<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'a u32> {
        // Fast path: `self.number` is populated for `dev`, and has not been revoked.
        if let ::core::option::Option::Some(number) = ::kernel::devres::Lazy::get(&self.number, dev)
        {
            return ::core::result::Result::Ok(number);
        }

        // Not populated, revoked, or `dev` is another device: `number_slow()` maps, or tells which.
        self.number_slow(dev)
    }

    /// The slow path of `number()`: maps, or tells why not.
    #[cold]
    #[inline(never)]
    fn number_slow<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'a u32> {
        // Refuse any device but the one that `self` belongs to, before anything is made for it.
        if !self.number_device_is(dev) {
            return ::core::result::Result::Err(::kernel::error::code::EINVAL);
        }

        // Slow path: one caller at a time populates `self.number`. The others sleep here until that
        // caller is done.
        let slot = match ::kernel::devres::Lazy::entry(&self.number, dev)? {
            ::kernel::devres::Entry::Populated(number) => {
                return ::core::result::Result::Ok(number);
            }
            ::kernel::devres::Entry::Vacant(slot) => slot,
        };

        // `populate()` cannot find `self.number` populated: nobody else populates it while this
        // caller has `slot`.
        //
        // The closure runs when all other checks have passed: `.make()` makes the resource. On an
        // error (`ENXIO` if unbind has begun meanwhile, or what `.make()` fails with) `self.number`
        // is empty again, and a later call may succeed.
        //
        // INVARIANT: When this succeeds, `self.number` holds the resource, for `dev`, until `dev`
        // is unbound, `self.number` is revoked, or `*self` is dropped.
        let number = ::kernel::devres::Vacant::populate(slot, || {
            ::core::result::Result::Ok(self.make(dev))
        })?;

        ::core::result::Result::Ok(number)
    }

    /// Returns whether this object belongs to the given device.
    fn number_device_is(
        &self,
        other: &::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::core::primitive::bool {
        ::kernel::devres::same_device(&self.dev, other)
    }
}

impl ::kernel::devres::LazyOwner for Probe {
    fn teardown(mut self: ::core::pin::Pin<&mut Self>) {
        // `self.number` goes first: what it holds is dropped while all other parts of `*self` are
        // whole, and nobody populates it again (S1).
        ::kernel::devres::Lazy::<u32>::retire_field(&mut self, |owner: &Self| &owner.number);
    }
}

#[::kernel::prelude::pinned_drop]
impl PinnedDrop for Probe {
    fn drop(self: ::core::pin::Pin<&mut Self>) {
        // First of all, while all of `*self` is whole: drops what the lazy fields hold, for good
        // (S1).
        ::kernel::devres::LazyOwner::teardown(self);
    }
}

impl Probe {
    pub(super) fn new(
        dev: &Device<Bound>,
        misbehave: fn(&Probe, &Device<Bound>),
    ) -> Result<Pin<KBox<Self>>> {
        KBox::try_pin_init(
            try_pin_init!(Self {
                dev: dev.into(),
                made: AtomicU32::new(0),
                misbehave,
                number <- new_lazy!("Probe::number"),
            }),
            GFP_KERNEL,
        )
    }

    fn make(&self, dev: &Device<Bound>) -> u32 {
        if self.made.fetch_add(1, Ordering::Relaxed) == 0 {
            (self.misbehave)(self, dev);
        }
        42
    }
}
