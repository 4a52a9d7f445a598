// SPDX-License-Identifier: Apache-2.0 OR MIT
// Expanded from visibility.rs by cargo-devres-lazy; S1, S2, ..: see its docs/safety.md.

//! The visibility of the accessor, which the other functions of its field have too.

use kernel::{
    device::{Bound, Device},
    devres::{same_device, Entry, Lazy, LazyGuard, LazyOwner, Vacant},
    prelude::*,
    sync::aref::ARef,
};

/// A table.
pub struct Table;

/// A queue.
#[pin_data(PinnedDrop)]
pub struct Queue {
    dev: ARef<Device>,

    /// Public.
    #[pin]
    a: Lazy<Table>,

    /// The crate's.
    #[pin]
    b: Lazy<Table>,

    /// The parent's.
    #[pin]
    c: Lazy<Table>,

    /// Private, of a public field.
    #[pin]
    pub d: Lazy<Table>,
}

impl Queue {
    /// Public.
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
    pub fn a<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Table> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(a) = Lazy::get(&self.a, dev) {
            return Ok(a);
        }

        self.a_slow(dev)
    }

    /// The slow path of `a()`: maps, or fails.
    #[cold]
    #[inline(never)]
    fn a_slow<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Table> {
        // Refuse another device before anything is made for it.
        if !self.a_device_is(dev) {
            return Err(EINVAL);
        }

        // Slow path: one caller populates the field. The others sleep here, and get what it has
        // made.
        let slot = match Lazy::entry(&self.a, dev)? {
            Entry::Populated(a) => {
                return Ok(a);
            }
            Entry::Vacant(slot) => slot,
        };

        // Only this caller has `slot`, so `populate()` cannot find the field populated.
        let a = Vacant::populate(slot, || Ok(Table))?;

        Ok(a)
    }

    /// Returns whether this object belongs to the given device.
    fn a_device_is(&self, other: &Device<Bound>) -> bool {
        same_device(&self.dev, other)
    }

    /// As `a()`, but only if the resource is mapped already.
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
    pub fn a_if_mapped<'a>(&'a self, dev: &'a Device<Bound>) -> Result<Option<&'a Table>> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(a) = Lazy::get(&self.a, dev) {
            return Ok(Some(a));
        }

        // Tell another device from a field that is empty or revoked.
        if !self.a_device_is(dev) {
            return Err(EINVAL);
        }

        Ok(None)
    }

    /// The crate's.
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
    pub(crate) fn b<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Table> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(b) = Lazy::get(&self.b, dev) {
            return Ok(b);
        }

        self.b_slow(dev)
    }

    /// The slow path of `b()`: maps, or fails.
    #[cold]
    #[inline(never)]
    fn b_slow<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Table> {
        // Refuse another device before anything is made for it.
        if !self.b_device_is(dev) {
            return Err(EINVAL);
        }

        // Slow path: one caller populates the field. The others sleep here, and get what it has
        // made.
        let slot = match Lazy::entry(&self.b, dev)? {
            Entry::Populated(b) => {
                return Ok(b);
            }
            Entry::Vacant(slot) => slot,
        };

        // Only this caller has `slot`, so `populate()` cannot find the field populated.
        let b = Vacant::populate(slot, || Ok(Table))?;

        Ok(b)
    }

    /// Returns whether this object belongs to the given device.
    fn b_device_is(&self, other: &Device<Bound>) -> bool {
        same_device(&self.dev, other)
    }

    /// Returns the resource that `b()` has mapped, without a bound device.
    ///
    /// `None` if nothing is mapped, or if unbind has revoked the resource. Never maps.
    ///
    /// # Context
    ///
    /// Does not sleep. The holder of the guard must not sleep either: the guard is an RCU
    /// read-side critical section, which unbind waits for.
    #[inline]
    pub(crate) fn try_b(&self) -> Option<LazyGuard<'_, Table>> {
        Lazy::try_access(&self.b)
    }

    /// The parent's.
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
    pub(super) fn c<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Table> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(c) = Lazy::get(&self.c, dev) {
            return Ok(c);
        }

        self.c_slow(dev)
    }

    /// The slow path of `c()`: maps, or fails.
    #[cold]
    #[inline(never)]
    fn c_slow<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Table> {
        // Refuse another device before anything is made for it.
        if !self.c_device_is(dev) {
            return Err(EINVAL);
        }

        // Slow path: one caller populates the field. The others sleep here, and get what it has
        // made.
        let slot = match Lazy::entry(&self.c, dev)? {
            Entry::Populated(c) => {
                return Ok(c);
            }
            Entry::Vacant(slot) => slot,
        };

        // Only this caller has `slot`, so `populate()` cannot find the field populated.
        let c = Vacant::populate(slot, || Ok(Table))?;

        Ok(c)
    }

    /// Returns whether this object belongs to the given device.
    fn c_device_is(&self, other: &Device<Bound>) -> bool {
        same_device(&self.dev, other)
    }

    /// Unmaps now the resource that `c()` has mapped, if there is one.
    ///
    /// The next call of `c()` maps anew, also if the device was unbound in between.
    ///
    /// # Context
    ///
    /// May sleep: if unbind is unmapping the resource, this waits for unbind.
    pub(super) fn unmap_c(self: Pin<&mut Self>) {
        Lazy::revoke(Self::project(self).c);
    }

    /// Private, of a public field.
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
    fn d<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Table> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(d) = Lazy::get(&self.d, dev) {
            return Ok(d);
        }

        self.d_slow(dev)
    }

    /// The slow path of `d()`: maps, or fails.
    #[cold]
    #[inline(never)]
    fn d_slow<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Table> {
        // Refuse another device before anything is made for it.
        if !self.d_device_is(dev) {
            return Err(EINVAL);
        }

        // Slow path: one caller populates the field. The others sleep here, and get what it has
        // made.
        let slot = match Lazy::entry(&self.d, dev)? {
            Entry::Populated(d) => {
                return Ok(d);
            }
            Entry::Vacant(slot) => slot,
        };

        // Only this caller has `slot`, so `populate()` cannot find the field populated.
        let d = Vacant::populate(slot, || Ok(Table))?;

        Ok(d)
    }

    /// Returns whether this object belongs to the given device.
    fn d_device_is(&self, other: &Device<Bound>) -> bool {
        same_device(&self.dev, other)
    }

    /// As `d()`, but only if the resource is mapped already.
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
    fn d_if_mapped<'a>(&'a self, dev: &'a Device<Bound>) -> Result<Option<&'a Table>> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(d) = Lazy::get(&self.d, dev) {
            return Ok(Some(d));
        }

        // Tell another device from a field that is empty or revoked.
        if !self.d_device_is(dev) {
            return Err(EINVAL);
        }

        Ok(None)
    }
}

impl LazyOwner for Queue {
    fn teardown(self: Pin<&mut Self>) {
        // In reverse order of declaration, as a field may depend on those above it.
        let this = Self::project(self);
        Lazy::<Table>::retire(this.d);
        Lazy::<Table>::retire(this.c);
        Lazy::<Table>::retire(this.b);
        Lazy::<Table>::retire(this.a);
    }
}

#[pinned_drop]
impl PinnedDrop for Queue {
    fn drop(self: Pin<&mut Self>) {
        // The lazy fields go first, while the rest of `*self` is whole.
        LazyOwner::teardown(self);
    }
}
