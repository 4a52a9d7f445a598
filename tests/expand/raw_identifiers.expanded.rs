// SPDX-License-Identifier: Apache-2.0 OR MIT
// Expanded from raw_identifiers.rs by cargo-devres-lazy; S1, S2, ..: see its docs/safety.md.

//! Raw identifiers: the struct, the field and the functions.

use kernel::{
    device::{Bound, Device},
    devres::{same_device, Entry, Lazy, LazyGuard, LazyOwner, Vacant},
    prelude::*,
    sync::aref::ARef,
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
    r#type: Lazy<r#enum>,
}

#[allow(non_camel_case_types)]
impl r#struct {
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
    pub fn r#match<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a r#enum> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(r#type) = Lazy::get(&self.r#type, dev) {
            return Ok(r#type);
        }

        self.match_slow(dev)
    }

    /// The slow path of `match()`: maps, or fails.
    #[cold]
    #[inline(never)]
    fn match_slow<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a r#enum> {
        // Refuse another device before anything is made for it.
        if !self.match_device_is(dev) {
            return Err(EINVAL);
        }

        // Slow path: one caller populates the field. The others sleep here, and get what it has
        // made.
        let slot = match Lazy::entry(&self.r#type, dev)? {
            Entry::Populated(r#type) => {
                return Ok(r#type);
            }
            Entry::Vacant(slot) => slot,
        };

        // Only this caller has `slot`, so `populate()` cannot find the field populated.
        let r#type = Vacant::populate(slot, || Ok(r#enum))?;

        Ok(r#type)
    }

    /// Returns whether this object belongs to the given device.
    fn match_device_is(&self, other: &Device<Bound>) -> bool {
        same_device(&self.r#dyn, other)
    }

    /// As `match()`, but only if the resource is mapped already.
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
    pub fn r#if<'a>(&'a self, dev: &'a Device<Bound>) -> Result<Option<&'a r#enum>> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(r#type) = Lazy::get(&self.r#type, dev) {
            return Ok(Some(r#type));
        }

        // Tell another device from a field that is empty or revoked.
        if !self.match_device_is(dev) {
            return Err(EINVAL);
        }

        Ok(None)
    }

    /// Returns the resource that `match()` has mapped, without a bound device.
    ///
    /// `None` if nothing is mapped, or if unbind has revoked the resource. Never maps.
    ///
    /// # Context
    ///
    /// Does not sleep. The holder of the guard must not sleep either: the guard is an RCU
    /// read-side critical section, which unbind waits for.
    #[inline]
    pub fn r#try(&self) -> Option<LazyGuard<'_, r#enum>> {
        Lazy::try_access(&self.r#type)
    }

    /// Unmaps now the resource that `match()` has mapped, if there is one.
    ///
    /// The next call of `match()` maps anew, also if the device was unbound in between.
    ///
    /// # Context
    ///
    /// May sleep: if unbind is unmapping the resource, this waits for unbind.
    pub fn r#move(self: Pin<&mut Self>) {
        Lazy::revoke(Self::project(self).r#type);
    }
}

#[allow(non_camel_case_types)]
impl LazyOwner for r#struct {
    fn teardown(self: Pin<&mut Self>) {
        let this = Self::project(self);
        Lazy::<r#enum>::retire(this.r#type);
    }
}

#[pinned_drop]
impl PinnedDrop for r#struct {
    fn drop(self: Pin<&mut Self>) {
        // The lazy fields go first, while the rest of `*self` is whole.
        LazyOwner::teardown(self);
    }
}
