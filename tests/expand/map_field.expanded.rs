// SPDX-License-Identifier: Apache-2.0 OR MIT
// Expanded from map_field.rs by cargo-devres-lazy; S1, S2, ..: see its docs/safety.md.

//! A `map` field: a marker maps a view into the owner.

use core::ptr::NonNull;
use kernel::{
    bindings,
    device::{Bound, Device},
    devres::{
        same_device, Entry, HasView, Lazy, LazyGuard, LazyOwner, Map, MapMarker, Mapped, OwnerView,
        TeardownFirst, Vacant,
    },
    drm::{self, gem::DriverObject},
    error::from_err_ptr,
    prelude::*,
    scatterlist::SGTable,
    sync::aref::ARef,
    types::Opaque,
};

/// Maps the table that the C helper keeps in the object.
pub struct Table;

// SAFETY: The C helper's table is immutable, and stays until `unmap()`.
unsafe impl<T: DriverObject> Map<Object<T>> for Table {
    type Target = SGTable;
    type Keep = ARef<drm::Device<T::Driver>>;

    fn keep(obj: &Object<T>) -> Self::Keep {
        obj.dev().into()
    }

    fn map(obj: &Object<T>, _dev: &Device<Bound>) -> Result<NonNull<SGTable>> {
        // SAFETY: `obj` is an initialised shmem object.
        let sgt = unsafe { bindings::drm_gem_shmem_get_pages_sgt(obj.obj.get()) };

        NonNull::new(from_err_ptr(sgt)?.cast()).ok_or(ENOMEM)
    }

    unsafe fn unmap(_obj: &Object<T>, _drm: &Self::Keep, _sgt: NonNull<SGTable>) {}
}

/// A shmem-backed GEM object.
#[pin_data(PinnedDrop)]
#[repr(C)]
pub struct Object<T: DriverObject> {
    #[pin]
    obj: Opaque<bindings::drm_gem_shmem_object>,

    /// Scatter-gather table of this object's DMA pages.
    #[pin]
    sgt: Lazy<Mapped<Self, Table>>,

    #[pin]
    inner: T,
}

impl<T: DriverObject> Object<T> {
    /// Scatter-gather table of this object's DMA pages.
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
    pub fn sg_table<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a SGTable> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(sgt) = Lazy::get(&self.sgt, dev) {
            return Ok(&**sgt);
        }

        self.sg_table_slow(dev)
    }

    /// The slow path of `sg_table()`: maps, or fails.
    #[cold]
    #[inline(never)]
    fn sg_table_slow<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a SGTable> {
        // Any thread may use the target.
        const fn sgt_is_send_and_sync<T>()
        where
            T: Send + Sync + ?Sized,
        {
        }
        sgt_is_send_and_sync::<SGTable>();

        // Refuse another device before anything is made for it.
        if !self.sg_table_device_is(dev) {
            return Err(EINVAL);
        }

        // Slow path: one caller populates the field. The others sleep here, and get what it has
        // made.
        let slot = match Lazy::entry(&self.sgt, dev)? {
            Entry::Populated(sgt) => {
                return Ok(&**sgt);
            }
            Entry::Vacant(slot) => slot,
        };

        // Only this caller has `slot`, so `populate_with()` cannot find the field populated.
        let sgt = Vacant::populate_with(slot, |place| {
            // SAFETY:
            // - `self.sgt` stores the mapping, and is retired before any other part of `*self` is
            //   dropped (S1).
            // - `*self` does not move: `self.sgt` can only be initialised in place, so `*self` is
            //   pinned (S2).
            unsafe {
                OwnerView::<Self, Table>::new(
                    place,
                    &raw const self.sgt,
                    self,
                    ::core::marker::PhantomData::<
                        fn(&Self, &Table, &dyn LazyOwner, &dyn TeardownFirst),
                    >,
                )
            }
        })?;

        Ok(&**sgt)
    }

    /// Returns whether this object belongs to the given device.
    fn sg_table_device_is(&self, other: &Device<Bound>) -> bool {
        same_device(self.dev().as_ref().as_ref(), other)
    }

    /// As `sg_table()`, but only if the resource is mapped already.
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
    pub fn sg_table_if_mapped<'a>(&'a self, dev: &'a Device<Bound>) -> Result<Option<&'a SGTable>> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(sgt) = Lazy::get(&self.sgt, dev) {
            return Ok(Some(&**sgt));
        }

        // Tell another device from a field that is empty or revoked.
        if !self.sg_table_device_is(dev) {
            return Err(EINVAL);
        }

        Ok(None)
    }

    /// Returns the resource that `sg_table()` has mapped, without a bound device.
    ///
    /// `None` if nothing is mapped, or if unbind has revoked the resource. Never maps.
    ///
    /// # Context
    ///
    /// Does not sleep. The holder of the guard must not sleep either: the guard is an RCU
    /// read-side critical section, which unbind waits for.
    #[inline]
    pub fn try_sg_table(&self) -> Option<LazyGuard<'_, Mapped<Self, Table>>> {
        Lazy::try_access(&self.sgt)
    }

    /// Unmaps now the resource that `sg_table()` has mapped, if there is one.
    ///
    /// The next call of `sg_table()` maps anew, also if the device was unbound in between.
    ///
    /// # Context
    ///
    /// May sleep: if unbind is unmapping the resource, this waits for unbind.
    pub fn unmap_sg_table(self: Pin<&mut Self>) {
        // SAFETY: Slots are pinned, and the closure borrows nothing but one (S10).
        Lazy::revoke(unsafe { Pin::map_unchecked_mut(self, |owner| &mut owner.sgt) });
    }
}

impl<T: DriverObject> HasView<Table> for Object<T> {
    type Map = <Table as MapMarker<Self>>::Map;
}

impl<T: DriverObject> LazyOwner for Object<T> {
    fn teardown(self: Pin<&mut Self>) {
        // The author's destructor has to begin with the teardown (S4).
        const fn begins_with_teardown<T>()
        where
            T: TeardownFirst + ?Sized,
        {
        }
        begins_with_teardown::<Self>();

        // SAFETY: Slots are pinned, and the closure borrows nothing but one (S10).
        Lazy::<Mapped<Self, Table>>::retire(unsafe {
            Pin::map_unchecked_mut(self, |owner| &mut owner.sgt)
        });
    }
}

// SAFETY: All GEM objects are thread-safe.
unsafe impl<T: DriverObject> Send for Object<T> {}

// SAFETY: All GEM objects are thread-safe.
unsafe impl<T: DriverObject> Sync for Object<T> {}

impl<T: DriverObject> Object<T> {
    /// The DRM device that this object belongs to.
    pub fn dev(&self) -> &drm::Device<T::Driver> {
        // SAFETY: `obj` is initialised.
        let dev = unsafe { (*self.obj.get()).base.dev };

        // SAFETY: Every object of this type was made for a device of this driver.
        unsafe { drm::Device::from_raw(dev) }
    }
}

#[pinned_drop]
impl<T: DriverObject> PinnedDrop for Object<T> {
    fn drop(mut self: Pin<&mut Self>) {
        // The lazy fields go first, while the rest of `*self` is whole.
        <dyn TeardownFirst>::teardown_first(&mut self);

        // SAFETY: This was the last reference.
        unsafe { bindings::drm_gem_shmem_release(self.obj.get()) };
    }
}

// SAFETY: `drop()` begins with `teardown_first()`, and nothing that the author has written is in
// the scope of that call (S4).
unsafe impl<T: DriverObject> TeardownFirst for Object<T> {}
