// SPDX-License-Identifier: Apache-2.0 OR MIT
// Expanded from init_field.rs by cargo-devres-lazy; S1, S2, ..: see its docs/safety.md.

//! An `init` field: an initialiser makes the resource.

use kernel::{
    device::{Bound, Device},
    devres::{same_device, Entry, Lazy, LazyOwner, Vacant},
    prelude::*,
    sync::aref::ARef,
};

/// A table.
pub struct Table;

/// A queue.
#[pin_data(PinnedDrop)]
pub struct Queue {
    dev: ARef<Device>,

    /// The queue's translation table.
    #[pin]
    table: Lazy<Table>,
}

impl Queue {
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
    pub fn table<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Table> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(table) = Lazy::get(&self.table, dev) {
            return Ok(table);
        }

        self.table_slow(dev)
    }

    /// The slow path of `table()`: maps, or fails.
    #[cold]
    #[inline(never)]
    fn table_slow<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Table> {
        // Refuse another device before anything is made for it.
        if !self.table_device_is(dev) {
            return Err(EINVAL);
        }

        // Slow path: one caller populates the field. The others sleep here, and get what it has
        // made.
        let slot = match Lazy::entry(&self.table, dev)? {
            Entry::Populated(table) => {
                return Ok(table);
            }
            Entry::Vacant(slot) => slot,
        };

        // Only this caller has `slot`, so `populate()` cannot find the field populated.
        let table = Vacant::populate(slot, || Ok(Table))?;

        Ok(table)
    }

    /// Returns whether this object belongs to the given device.
    fn table_device_is(&self, other: &Device<Bound>) -> bool {
        same_device(&self.dev, other)
    }
}

impl LazyOwner for Queue {
    fn teardown(self: Pin<&mut Self>) {
        let this = Self::project(self);
        Lazy::<Table>::retire(this.table);
    }
}

#[pinned_drop]
impl PinnedDrop for Queue {
    fn drop(self: Pin<&mut Self>) {
        // The lazy fields go first, while the rest of `*self` is whole.
        LazyOwner::teardown(self);
    }
}
