// SPDX-License-Identifier: Apache-2.0 OR MIT
// Expanded from form_b.rs by cargo-devres-lazy; S1, S2, ..: see its docs/safety.md.

//! Form B: a marker maps a view into the owner.

use core::ptr::NonNull;
use kernel::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    devres::{
        Map,
        Mapped, //
    },
    drm::{
        self,
        gem::DriverObject, //
    },
    error::from_err_ptr,
    prelude::*,
    scatterlist::SGTable,
    sync::aref::ARef,
    types::Opaque, //
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
    sgt: ::kernel::devres::Lazy<Mapped<Self, Table>>,

    #[pin]
    inner: T,
}

impl<T: DriverObject> Object<T> {
    /// Scatter-gather table of this object's DMA pages.
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
    pub fn sg_table<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'a SGTable> {
        // Fast path: `self.sgt` is populated for `dev`, and has not been revoked.
        if let ::core::option::Option::Some(sgt) = ::kernel::devres::Lazy::get(&self.sgt, dev) {
            return ::core::result::Result::Ok(&**sgt);
        }

        // Not populated, revoked, or `dev` is another device: `sg_table_slow()` maps, or tells
        // which.
        self.sg_table_slow(dev)
    }

    /// The slow path of `sg_table()`: maps, or tells why not.
    ///
    /// What it calls is `unsafe`, and this is why it is sound here:
    ///
    /// - S1: `*self` is valid until the mapping is dropped: the mapping is stored in `self.sgt`,
    ///   and the destructor of `Object` begins with `LazyOwner::teardown()`, which drops it while
    ///   all other parts of `*self` are whole, and after which nobody populates `self.sgt` again.
    /// - S2: `*self` does not move: a slot can only be initialised in place, so `self.sgt` is
    ///   pinned, and with it the `Object` that it is a field of.
    #[cold]
    #[inline(never)]
    fn sg_table_slow<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<&'a SGTable> {
        // Any thread may borrow what `self.sgt` lends: it has to be `Send` and `Sync`.
        const fn sgt_is_send_and_sync<T>()
        where
            T: ::core::marker::Send + ::core::marker::Sync + ?::core::marker::Sized,
        {
        }
        sgt_is_send_and_sync::<SGTable>();

        // Refuse any device but the one that `self` belongs to, before anything is made for it.
        if !self.sg_table_device_is(dev) {
            return ::core::result::Result::Err(::kernel::error::code::EINVAL);
        }

        // Slow path: one caller at a time populates `self.sgt`. The others sleep here until that
        // caller is done.
        let slot = match ::kernel::devres::Lazy::entry(&self.sgt, dev)? {
            ::kernel::devres::Entry::Populated(sgt) => {
                return ::core::result::Result::Ok(&**sgt);
            }
            ::kernel::devres::Entry::Vacant(slot) => slot,
        };

        // `populate()` cannot find `self.sgt` populated: nobody else populates it while this caller
        // has `slot`.
        //
        // The closure runs when all other checks have passed: `Mapped::new()` calls `Table::map()`.
        // On an error (`ENXIO` if unbind has begun meanwhile, or what `Table::map()` fails with)
        // `self.sgt` is empty again, and a later call may succeed.
        //
        // INVARIANT: When this succeeds, `self.sgt` holds the resource, for `dev`, until `dev` is
        // unbound, `self.sgt` is revoked, or `*self` is dropped.
        let sgt = ::kernel::devres::Vacant::populate_with(slot, |place| {
            // SAFETY:
            // - S1: `*self` is valid until the mapping is dropped: the mapping is stored in
            //   `self.sgt`, and the destructor of `Object` begins with `LazyOwner::teardown()`,
            //   which drops it while all other parts of `*self` are whole, and after which nobody
            //   populates `self.sgt` again.
            // - S2: `*self` does not move: a slot can only be initialised in place, so `self.sgt`
            //   is pinned, and with it the `Object` that it is a field of.
            unsafe {
                ::kernel::devres::OwnerView::<Self, Table>::new(
                    place,
                    &raw const self.sgt,
                    self,
                    ::core::marker::PhantomData::<
                        fn(
                            &Self,
                            &Table,
                            &dyn ::kernel::devres::LazyOwner,
                            &dyn ::kernel::devres::TeardownFirst,
                        ),
                    >,
                )
            }
        })?;

        ::core::result::Result::Ok(&**sgt)
    }

    /// Returns whether this object belongs to the given device.
    fn sg_table_device_is(
        &self,
        other: &::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::core::primitive::bool {
        ::kernel::devres::same_device(self.dev().as_ref().as_ref(), other)
    }

    /// As `sg_table()`, but only if it is mapped already.
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
    pub fn sg_table_if_mapped<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<::core::option::Option<&'a SGTable>> {
        // Fast path: `self.sgt` is populated for `dev`, and has not been revoked.
        if let ::core::option::Option::Some(sgt) = ::kernel::devres::Lazy::get(&self.sgt, dev) {
            return ::core::result::Result::Ok(::core::option::Option::Some(&**sgt));
        }

        // `self.sgt` has nothing for `dev`. Tell the wrong device from a slot that is empty or
        // revoked.
        if !self.sg_table_device_is(dev) {
            return ::core::result::Result::Err(::kernel::error::code::EINVAL);
        }

        ::core::result::Result::Ok(::core::option::Option::None)
    }

    /// Lends what `sg_table()` has mapped, without needing a bound device.
    ///
    /// `None` if nothing is mapped, or if it was revoked by unbinding the device. Never maps.
    ///
    /// # Context
    ///
    /// Does not sleep, and nobody may sleep while holding the guard: it is an RCU read-side
    /// critical section, which unbind waits for.
    #[inline]
    pub fn try_sg_table(
        &self,
    ) -> ::core::option::Option<::kernel::devres::LazyGuard<'_, Mapped<Self, Table>>> {
        // No lock and no device: the guard is an RCU read-side critical section, and unbind waits
        // for it before it drops what `self.sgt` holds.
        ::kernel::devres::Lazy::try_access(&self.sgt)
    }

    /// Unmaps now what `sg_table()` has mapped, if anything.
    ///
    /// The next call of it maps anew, also if the device was unbound in between.
    ///
    /// # Context
    ///
    /// May sleep: if the device is being unbound, until that has unmapped it.
    pub fn unmap_sg_table(self: ::core::pin::Pin<&mut Self>) {
        // `self` is borrowed exclusively, so nobody borrows what `self.sgt` holds.
        //
        // SAFETY: S10: `self.sgt` is pinned, as every slot is, and the closure moves nothing. It
        // borrows no other part of `*self`: unbind may be dropping a view, which reads `*self`.
        ::kernel::devres::Lazy::revoke(unsafe {
            ::core::pin::Pin::map_unchecked_mut(self, |owner| &mut owner.sgt)
        });
    }
}

// `Table` maps and unmaps the views that `Mapped<Self, Table>` holds.
impl<T: DriverObject> ::kernel::devres::HasView<Table> for Object<T> {
    type Map = <Table as ::kernel::devres::MapMarker<Self>>::Map;
}

impl<T: DriverObject> ::kernel::devres::LazyOwner for Object<T> {
    fn teardown(self: ::core::pin::Pin<&mut Self>) {
        // The destructor is the author's: `#[devres_lazy]` on it makes it begin with this (S4).
        const fn begins_with_teardown<T>()
        where
            T: ::kernel::devres::TeardownFirst + ?::core::marker::Sized,
        {
        }
        begins_with_teardown::<Self>();

        // `self.sgt` goes first: what it holds is dropped while all other parts of `*self` are
        // whole, and nobody populates it again (S1).
        //
        // SAFETY: S10: `self.sgt` is pinned, as every slot is, and the closure moves nothing. It
        // borrows no other part of `*self`: unbind may be dropping a view, which reads `*self`.
        ::kernel::devres::Lazy::<Mapped<Self, Table>>::retire(unsafe {
            ::core::pin::Pin::map_unchecked_mut(self, |owner| &mut owner.sgt)
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
        // First of all, while all of `*self` is whole: drops what the lazy fields hold, for good
        // (S1).
        <dyn ::kernel::devres::TeardownFirst>::teardown_first(&mut self);

        // SAFETY: This was the last reference.
        unsafe { bindings::drm_gem_shmem_release(self.obj.get()) };
    }
}

// SAFETY: S4: `drop()` above begins with `teardown_first()`, and nothing that the author has
// written is in the scope of that call.
unsafe impl<T: DriverObject> ::kernel::devres::TeardownFirst for Object<T> {}
