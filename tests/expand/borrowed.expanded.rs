// SPDX-License-Identifier: Apache-2.0 OR MIT
// Expanded from borrowed.rs by cargo-devres-lazy; S1, S2, ..: see its docs/safety.md.

//! Resources that borrow the bound device.

use kernel::{
    device::{Bound, Device},
    devres::{same_device, LazyLt, LazyOwner, PlaceLt},
    pci::{self, Bar},
    prelude::*,
    sync::aref::ARef,
    types::ForLt,
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
    bar: LazyLt<ForLt!(Bar<'_>)>,

    /// The doorbells of the queue.
    #[pin]
    doorbells: LazyLt<ForLt!(for<'d> KBox<Bar<'d, 16>>)>,
}

impl Queue {
    /// The registers of the queue.
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
    ///
    /// The resource borrows from the device: no part of the resource can be kept for longer
    /// than `dev` is borrowed.
    #[inline]
    pub fn bar<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Bar<'a>> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(bar) = LazyLt::get_with(&self.bar, dev, |bar| bar) {
            return Ok(bar);
        }

        self.bar_slow(dev)
    }

    /// The slow path of `bar()`: maps, or fails.
    #[cold]
    #[inline(never)]
    fn bar_slow<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Bar<'a>> {
        // Refuse another device before anything is made for it.
        if !self.bar_device_is(dev) {
            return Err(EINVAL);
        }

        // Slow path: one caller populates the field. The others sleep here, and get what it has
        // made.
        //
        // The first closure compiles for every lifetime of the device, so the resource borrows from
        // that device only. The second one compiles for covariant types only.
        let bar = LazyLt::get_or_populate_with(
            &self.bar,
            dev,
            |dev, place| PlaceLt::make(place, pdev(dev)?.iomap_region(0, c"queue")?),
            |bar| bar,
        )?;

        Ok(bar)
    }

    /// Returns whether this object belongs to the given device.
    fn bar_device_is(&self, other: &Device<Bound>) -> bool {
        same_device(&self.dev, other)
    }

    /// As `bar()`, but only if the resource is mapped already.
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
    pub fn bar_if_mapped<'a>(&'a self, dev: &'a Device<Bound>) -> Result<Option<&'a Bar<'a>>> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(bar) = LazyLt::get_with(&self.bar, dev, |bar| bar) {
            return Ok(Some(bar));
        }

        // Tell another device from a field that is empty or revoked.
        if !self.bar_device_is(dev) {
            return Err(EINVAL);
        }

        Ok(None)
    }

    /// Unmaps now the resource that `bar()` has mapped, if there is one.
    ///
    /// The next call of `bar()` maps anew, also if the device was unbound in between.
    ///
    /// # Context
    ///
    /// May sleep: if unbind is unmapping the resource, this waits for unbind.
    pub fn unmap_bar(self: Pin<&mut Self>) {
        LazyLt::revoke(Self::project(self).bar);
    }

    /// The doorbells of the queue.
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
    ///
    /// The resource borrows from the device: no part of the resource can be kept for longer
    /// than `dev` is borrowed.
    #[inline]
    fn doorbells<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a KBox<Bar<'a, 16>>> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(doorbells) = LazyLt::get_with(&self.doorbells, dev, |doorbells| doorbells) {
            return Ok(doorbells);
        }

        self.doorbells_slow(dev)
    }

    /// The slow path of `doorbells()`: maps, or fails.
    #[cold]
    #[inline(never)]
    fn doorbells_slow<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a KBox<Bar<'a, 16>>> {
        // Refuse another device before anything is made for it.
        if !self.doorbells_device_is(dev) {
            return Err(EINVAL);
        }

        // Slow path: one caller populates the field. The others sleep here, and get what it has
        // made.
        //
        // The first closure compiles for every lifetime of the device, so the resource borrows from
        // that device only. The second one compiles for covariant types only.
        let doorbells = LazyLt::get_or_populate_with(
            &self.doorbells,
            dev,
            |dev, place| {
                PlaceLt::make(
                    place,
                    KBox::new(
                        pdev(dev)?.iomap_region_sized::<16>(2, c"doorbells")?,
                        GFP_KERNEL,
                    )?,
                )
            },
            |doorbells| doorbells,
        )?;

        Ok(doorbells)
    }

    /// Returns whether this object belongs to the given device.
    fn doorbells_device_is(&self, other: &Device<Bound>) -> bool {
        same_device(&self.dev, other)
    }
}

impl LazyOwner for Queue {
    fn teardown(self: Pin<&mut Self>) {
        // In reverse order of declaration, as a field may depend on those above it.
        let this = Self::project(self);
        LazyLt::<ForLt!(for<'d> KBox<Bar<'d, 16>>)>::retire(this.doorbells);
        LazyLt::<ForLt!(Bar<'_>)>::retire(this.bar);
    }
}

#[pinned_drop]
impl PinnedDrop for Queue {
    fn drop(self: Pin<&mut Self>) {
        // The lazy fields go first, while the rest of `*self` is whole.
        LazyOwner::teardown(self);
    }
}
