// SPDX-License-Identifier: Apache-2.0 OR MIT
// Expanded from shmem_sgt.rs by cargo-devres-lazy; S1, S2, ..: see its docs/safety.md.

//! The reference instance: a shmem GEM object whose scatter-gather table is mapped on first use.
//!
//! The annotated field is the one that `cargo xtask kernel apply` puts into Linux. `SgTable` is in
//! the file from which the library's object, `kernel::drm::gem::shmem::Object`, and the kernel's
//! have it.
//!
//! The same object by hand, as Linux 7.3 has it, is `shmem/by_hand.rs`. In both, `<lazy>` marks the
//! code for the table. A test counts the lines between the marks. `tests/mutants` runs the kernel's
//! suite of the contract over both objects.
//!
//! `main()` takes many objects through their life, and prints what was expected and what happened.

// Modules of an example are in a folder, as each file beside it is an example of its own.
#[path = "shmem/by_hand.rs"]
mod by_hand;
#[path = "shmem/cli.rs"]
mod cli;
#[path = "shmem/driver.rs"]
mod driver;
#[path = "shmem/life.rs"]
mod life;
#[path = "shmem/resv.rs"]
mod resv;
#[path = "../runtime/src/host/drm/gem/shmem/sg_table.rs"]
mod sg_table;
#[path = "shmem/timeline.rs"]
mod timeline;

use kernel::{
    bindings,
    container_of,
    devres::{
        LazyOwner,
        Mapped, //
    },
    drm::{
        gem::{
            impl_aref_for_gem_obj,
            BaseObjectPrivate,
            DriverObject,
            IntoGEMObject, //
        },
        Device, //
    },
    error::to_result,
    new_lazy,
    prelude::*,
    scatterlist,
    sync::aref::ARef,
    types::Opaque, //
};
use sg_table::SgTable;
use std::{
    ops::Deref,
    process::ExitCode,
    ptr::NonNull, //
};

/// How an [`Object`] is made.
pub struct ObjectConfig<'a, T: DriverObject> {
    /// The object whose reservation object is used, in place of the new object's own.
    pub parent_resv_obj: Option<&'a Object<T>>,
}

impl<T: DriverObject> Default for ObjectConfig<'_, T> {
    fn default() -> Self {
        Self {
            parent_resv_obj: None,
        }
    }
}

/// A shmem-backed GEM object.
///
/// Holds a reference to its DRM device. An object that its own device owns, in
/// [`Driver::Data`](kernel::drm::Driver::Data), is therefore part of a cycle of references, and is
/// never freed. Objects of a driver belong into its registration data, which is dropped when the
/// device is unbound.
///
/// # Invariants
///
/// - `obj` is an initialised `struct drm_gem_shmem_object` for the lifetime of the object.
/// - `drm` is the DRM device that `obj` was initialised with.
// <lazy>
// </lazy>
#[pin_data(PinnedDrop)]
#[repr(C)]
pub struct Object<T: DriverObject> {
    #[pin]
    obj: Opaque<bindings::drm_gem_shmem_object>,

    /// The object whose reservation object this one uses.
    parent_resv_obj: Option<ARef<Object<T>>>,

    // <lazy>
    /// Scatter-gather table of this object's DMA pages.
    ///
    /// Must not be called with the object's reservation lock held, which mapping takes. The table
    /// of an imported object is mapped by the exporter of its buffer.
    #[pin]
    sgt: ::kernel::devres::Lazy<Mapped<Self, SgTable>>,
    // </lazy>
    #[pin]
    inner: T,

    /// The DRM device, which `drm_gem_shmem_release()` reads: a GEM object holds no reference to
    /// `obj->dev`. The last field, since fields are dropped in the order of declaration.
    drm: ARef<Device<T::Driver>>,
}

impl<T: DriverObject> Object<T> {
    /// Scatter-gather table of this object's DMA pages.
    ///
    /// Must not be called with the object's reservation lock held, which mapping takes. The table
    /// of an imported object is mapped by the exporter of its buffer.
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
    ) -> ::kernel::error::Result<&'a scatterlist::SGTable> {
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
    ) -> ::kernel::error::Result<&'a scatterlist::SGTable> {
        // Any thread may borrow what `self.sgt` lends: it has to be `Send` and `Sync`.
        const fn sgt_is_send_and_sync<T>()
        where
            T: ::core::marker::Send + ::core::marker::Sync + ?::core::marker::Sized,
        {
        }
        sgt_is_send_and_sync::<scatterlist::SGTable>();

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
        // The closure runs when all other checks have passed: `Mapped::new()` calls
        // `SgTable::map()`. On an error (`ENXIO` if unbind has begun meanwhile, or what
        // `SgTable::map()` fails with) `self.sgt` is empty again, and a later call may succeed.
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
                ::kernel::devres::OwnerView::<Self, SgTable>::new(
                    place,
                    &raw const self.sgt,
                    self,
                    ::core::marker::PhantomData::<
                        fn(
                            &Self,
                            &SgTable,
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
    ) -> ::kernel::error::Result<::core::option::Option<&'a scatterlist::SGTable>> {
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
    ) -> ::core::option::Option<::kernel::devres::LazyGuard<'_, Mapped<Self, SgTable>>> {
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

// `SgTable` maps and unmaps the views that `Mapped<Self, SgTable>` holds.
impl<T: DriverObject> ::kernel::devres::HasView<SgTable> for Object<T> {
    type Map = <SgTable as ::kernel::devres::MapMarker<Self>>::Map;
}

impl<T: DriverObject> ::kernel::devres::LazyOwner for Object<T> {
    fn teardown(self: ::core::pin::Pin<&mut Self>) {
        // `self.sgt` goes first: what it holds is dropped while all other parts of `*self` are
        // whole, and nobody populates it again (S1).
        //
        // SAFETY: S10: `self.sgt` is pinned, as every slot is, and the closure moves nothing. It
        // borrows no other part of `*self`: unbind may be dropping a view, which reads `*self`.
        ::kernel::devres::Lazy::<Mapped<Self, SgTable>>::retire(unsafe {
            ::core::pin::Pin::map_unchecked_mut(self, |owner| &mut owner.sgt)
        });
    }
}

#[::kernel::prelude::pinned_drop]
impl<T: DriverObject> PinnedDrop for Object<T> {
    fn drop(mut self: ::core::pin::Pin<&mut Self>) {
        // First of all, while all of `*self` is whole: drops what the lazy fields hold, for good
        // (S1).
        <dyn ::kernel::devres::TeardownFirst>::teardown_first(&mut self);
    }
}

// SAFETY: S4: `drop()` above begins with `teardown_first()`, and nothing that the author has
// written is in the scope of that call.
unsafe impl<T: DriverObject> ::kernel::devres::TeardownFirst for Object<T> {}

// SAFETY: All GEM objects are thread-safe.
unsafe impl<T: DriverObject> Send for Object<T> {}

// SAFETY: All GEM objects are thread-safe.
unsafe impl<T: DriverObject> Sync for Object<T> {}

impl<T: DriverObject> Object<T> {
    const FUNCS: bindings::drm_gem_object_funcs = bindings::drm_gem_object_funcs {
        free: Some(Self::free_callback),
        pin: Some(bindings::drm_gem_shmem_object_pin),
        unpin: Some(bindings::drm_gem_shmem_object_unpin),
        get_sg_table: Some(bindings::drm_gem_shmem_object_get_sg_table),
        ..bindings::drm_gem_object_funcs::new()
    };

    /// Creates an object of `size` bytes, rounded up to whole pages.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `EINVAL` for a size of zero, or what the driver's part fails with.
    pub fn new(
        dev: &Device<T::Driver>,
        size: usize,
        config: ObjectConfig<'_, T>,
        args: T::Args,
    ) -> Result<ARef<Self>> {
        let new: Pin<KBox<Self>> = KBox::try_pin_init(
            try_pin_init!(Self {
                parent_resv_obj: config.parent_resv_obj.map(|parent| parent.into()),
                inner <- T::new(dev, size, args),
                // <lazy>
                sgt <- new_lazy!("Object::sgt"),
                // </lazy>
                drm: dev.into(),
                // Last: if another field fails, there is nothing to release.
                obj <- Opaque::try_ffi_init(|obj: *mut bindings::drm_gem_shmem_object| {
                    // SAFETY: `obj` is valid for writes, zeroes are a valid value of it.
                    unsafe { obj.write_bytes(0, 1) };

                    // SAFETY: `obj` is valid, and zeroed as from `kzalloc()`.
                    unsafe { (*obj).base.funcs = &Self::FUNCS };

                    // SAFETY: `dev` is valid, and `obj` is zeroed up to its functions.
                    to_result(unsafe { bindings::drm_gem_shmem_init(dev.as_raw(), obj, size) })
                }),
            }),
            GFP_KERNEL,
        )?;

        if let Some(parent) = config.parent_resv_obj {
            // SAFETY: Nobody else uses the object yet, and it keeps the parent.
            unsafe { (*new.as_raw()).resv = parent.raw_dma_resv() };
        }

        // SAFETY: The object is only ever used pinned.
        let new = KBox::into_raw(unsafe { Pin::into_inner_unchecked(new) });

        // SAFETY: `KBox::into_raw()` does not return NULL.
        let new = unsafe { NonNull::new_unchecked(new) };

        // SAFETY: Takes over the reference that `drm_gem_shmem_init()` created.
        Ok(unsafe { ARef::from_raw(new) })
    }

    /// The DRM device that this object belongs to.
    pub fn dev(&self) -> &Device<T::Driver> {
        &self.drm
    }

    fn as_raw_shmem(&self) -> *mut bindings::drm_gem_shmem_object {
        self.obj.get()
    }

    extern "C" fn free_callback(obj: *mut bindings::drm_gem_object) {
        // SAFETY: Every GEM object with `FUNCS` is the base of a shmem object.
        let shmem = unsafe { container_of!(obj, bindings::drm_gem_shmem_object, base) };

        // SAFETY: Every shmem object with `FUNCS` is the one in an `Object<T>`.
        let this = unsafe { container_of!(Opaque::cast_from(shmem), Self, obj) }.cast_mut();

        // <lazy>
        // SAFETY: This was the last reference, so nobody else uses the object.
        let owner = unsafe { &mut *this };

        // Unmaps the lazy fields while the GEM object is still whole.
        // SAFETY: GEM objects are pinned.
        unsafe { Pin::new_unchecked(owner) }.teardown();
        // </lazy>

        // SAFETY: This was the last reference. It reads `obj->dev`, which `drm` keeps.
        unsafe { bindings::drm_gem_shmem_release(shmem) };

        // SAFETY: `new()` leaked it from a `KBox`, and this was the last reference.
        drop(unsafe { KBox::from_raw(this) });
    }
}

impl<T: DriverObject> IntoGEMObject for Object<T> {
    fn as_raw(&self) -> *mut bindings::drm_gem_object {
        // SAFETY: By the type invariants, `obj` is initialised.
        unsafe { &raw mut (*self.obj.get()).base }
    }

    unsafe fn from_raw<'a>(obj: *mut bindings::drm_gem_object) -> &'a Self {
        // SAFETY: The caller has a pointer to the base of the shmem object in an `Object<T>`.
        let obj = unsafe { container_of!(obj, bindings::drm_gem_shmem_object, base) };

        // SAFETY: As above.
        let this = unsafe { container_of!(Opaque::cast_from(obj), Self, obj) };

        // SAFETY: The caller promises that the object is valid for `'a`.
        unsafe { &*this }
    }
}

impl_aref_for_gem_obj! {
    impl<T> for Object<T>
    where
        T: DriverObject
}

impl<T: DriverObject> Deref for Object<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

fn main() -> ExitCode {
    cli::main()
}
