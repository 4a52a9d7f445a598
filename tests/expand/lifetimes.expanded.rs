// SPDX-License-Identifier: Apache-2.0 OR MIT
// Expanded from lifetimes.rs by cargo-devres-lazy; S1, S2, ..: see its docs/safety.md.

//! Lifetimes of the struct and of a type: the accessor's is another one.

use kernel::{
    device::{Bound, Device},
    devres::{same_device, Entry, Lazy, LazyOwner, Vacant},
    prelude::*,
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
    lazy_lookup: Lazy<for<'b> fn(&'b u32) -> &'b u32>,
}

impl<'a> Queue<'a> {
    /// Finds an entry.
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
    pub fn lookup<'c>(&'c self, dev: &'c Device<Bound>) -> Result<&'c Lookup> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(lazy_lookup) = Lazy::get(&self.lazy_lookup, dev) {
            return Ok(lazy_lookup);
        }

        self.lookup_slow(dev)
    }

    /// The slow path of `lookup()`: maps, or fails.
    #[cold]
    #[inline(never)]
    fn lookup_slow<'c>(&'c self, dev: &'c Device<Bound>) -> Result<&'c Lookup> {
        // Any thread may use the target.
        const fn lazy_lookup_is_send_and_sync<T>()
        where
            T: Send + Sync + ?Sized,
        {
        }
        lazy_lookup_is_send_and_sync::<Lookup>();

        // Refuse another device before anything is made for it.
        if !self.lookup_device_is(dev) {
            return Err(EINVAL);
        }

        // Slow path: one caller populates the field. The others sleep here, and get what it has
        // made.
        let slot = match Lazy::entry(&self.lazy_lookup, dev)? {
            Entry::Populated(lazy_lookup) => {
                return Ok(lazy_lookup);
            }
            Entry::Vacant(slot) => slot,
        };

        // Only this caller has `slot`, so `populate()` cannot find the field populated.
        let lazy_lookup = Vacant::populate(slot, || Ok(self.lookup))?;

        Ok(lazy_lookup)
    }

    /// Returns whether this object belongs to the given device.
    fn lookup_device_is(&self, other: &Device<Bound>) -> bool {
        same_device(self.dev, other)
    }
}

impl<'a> LazyOwner for Queue<'a> {
    fn teardown(self: Pin<&mut Self>) {
        let this = Self::project(self);
        Lazy::<for<'b> fn(&'b u32) -> &'b u32>::retire(this.lazy_lookup);
    }
}

#[pinned_drop]
impl<'a> PinnedDrop for Queue<'a> {
    fn drop(self: Pin<&mut Self>) {
        // The lazy fields go first, while the rest of `*self` is whole.
        LazyOwner::teardown(self);
    }
}
