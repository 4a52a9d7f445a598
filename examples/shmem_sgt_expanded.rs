// SPDX-License-Identifier: Apache-2.0 OR MIT
// Expanded from shmem_sgt.rs by cargo-devres-lazy; S1, S2, ..: see its docs/safety.md.

//! The reference instance: a shmem GEM object whose scatter-gather table is mapped on first use.
//!
//! The object is written as `rust/kernel/drm/gem/shmem.rs` would be, against the host's model of
//! the C helper; changing the crate's name makes it a kernel file. `main()` takes it through every
//! row of the contract and prints what was expected and what happened.
//!
//! Its twin by hand, as Linux 7.3 has it, is `shmem/by_hand.rs`. In both, `<lazy>` marks what is
//! there for the table's sake; a test counts the lines between the marks.

#[path = "shmem/by_hand.rs"]
mod by_hand;
#[path = "shmem/cli.rs"]
mod cli;
#[path = "shmem/contract.rs"]
mod contract;
#[path = "shmem/driver.rs"]
mod driver;
#[path = "shmem/helper.rs"]
mod helper;
#[path = "shmem/last_holder.rs"]
mod last_holder;
#[path = "shmem/neighbours.rs"]
mod neighbours;
#[path = "shmem/races.rs"]
mod races;
#[path = "shmem/resv.rs"]
mod resv;
#[path = "shmem/timeline.rs"]
mod timeline;

use kernel::{
    bindings, container_of,
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
        gem::{
            impl_aref_for_gem_obj,
            DriverObject,
            IntoGEMObject, //
        },
    },
    error::{
        from_err_ptr,
        to_result, //
    },
    new_lazy,
    prelude::*,
    scatterlist::SGTable,
    sync::aref::ARef,
    types::Opaque,
};
use resv::DmaResvGuard;
use std::{
    ops::Deref,
    process::ExitCode,
    ptr::{
        self,
        NonNull, //
    },
};

/// A shmem-backed GEM object.
///
/// Holds a reference to its DRM device. An object that its own device owns, in
/// [`drm::Driver::Data`], is therefore part of a cycle of references, and is never freed. Objects
/// of a driver belong into its registration data, which is dropped when the device is unbound.
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

    // <lazy>
    /// The scatter-gather table of this object's DMA pages.
    #[pin]
    sgt: ::kernel::devres::Lazy<Mapped<Self, SgTable>>,
    // </lazy>
    #[pin]
    inner: T,

    /// The DRM device, which releasing the object reads: a GEM object holds no reference to
    /// `obj->dev`. The last field, since fields are dropped in the order of declaration.
    drm: ARef<drm::Device<T::Driver>>,
}

impl<T: DriverObject> Object<T> {
    /// The scatter-gather table of this object's DMA pages.
    ///
    /// The first call maps it; later calls lend the same one without taking a lock.
    ///
    /// # Errors
    ///
    /// - `EINVAL` if `dev` is not the device that this object belongs to; nothing is mapped.
    /// - `ENXIO` if it was revoked when the device was unbound, also once it is bound again;
    ///   or if it is not mapped while unbind is under way, which might miss it.
    /// - `ENOMEM` if there is no memory to keep track of it; nothing is mapped.
    /// - What mapping fails with; the object stays unmapped, and a later call tries again.
    ///
    /// # Context
    ///
    /// May sleep until it is mapped; callers that race sleep, and get the same one. Must not be
    /// called while it is being mapped by the caller itself, which is a deadlock.
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
    #[allow(clippy::significant_drop_tightening, reason = "`populate()` unlocks")]
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

        // Slow path: one caller populates `self.sgt`, holding its lock for as long as that takes;
        // the others sleep here.
        let slot = ::kernel::devres::Lazy::lock(&self.sgt);

        // Somebody else may have populated `self.sgt` while this caller was waiting for the lock.
        if let ::core::option::Option::Some(sgt) = ::kernel::devres::Locked::get(&slot, dev) {
            return ::core::result::Result::Ok(&**sgt);
        }

        // `populate()` cannot find `self.sgt` populated for `dev`: it was not a line above, only a
        // holder of its lock populates it, and `slot` holds that lock until `populate()` is done.
        //
        // The closure runs when the checks have passed and all memory is there: `Mapped::new()`
        // calls `SgTable::map()`. On an error (`ENXIO` if `self.sgt` was revoked, or unbind is
        // under way, `ENOMEM`, or what `SgTable::map()` fails with) `self.sgt` is as it was, and a
        // later call may succeed.
        //
        // INVARIANT: When this succeeds, `self.sgt` holds the resource, for `dev`, until `dev` is
        // unbound, `self.sgt` is revoked, or `*self` is dropped.
        let sgt = ::kernel::devres::Locked::populate_with(slot, dev, |place| {
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
        ::kernel::devres::Lazy::revoke_field(self, |owner: &Self| &owner.sgt);
    }
}

// `SgTable` maps and unmaps the views that `Mapped<Self, SgTable>` holds.
impl<T: DriverObject> ::kernel::devres::HasView<SgTable> for Object<T> {
    type Map = <SgTable as ::kernel::devres::MapMarker<Self>>::Map;
}

impl<T: DriverObject> ::kernel::devres::LazyOwner for Object<T> {
    fn teardown(mut self: ::core::pin::Pin<&mut Self>) {
        // The destructor is the author's: `#[devres_lazy]` on it makes it begin with this (S4).
        const fn begins_with_teardown<T>()
        where
            T: ::kernel::devres::TeardownFirst + ?::core::marker::Sized,
        {
        }
        begins_with_teardown::<Self>();

        // `self.sgt` goes first: what it holds is dropped while all other parts of `*self` are
        // whole, and nobody populates it again (S1).
        ::kernel::devres::Lazy::<Mapped<Self, SgTable>>::retire_field(&mut self, |owner: &Self| {
            &owner.sgt
        });
    }
}

// <lazy>
/// Maps the table that the C helper keeps in the object.
pub struct SgTable;

// SAFETY:
// - The table that `drm_gem_shmem_get_pages_sgt()` returns does not change. Three functions of the
//   C helper free it. Only `unmap()` calls `__drm_gem_shmem_free_sgt_locked()`.
//   `drm_gem_shmem_release()` comes after the teardown. `drm_gem_shmem_purge_locked()` is for
//   objects that a C driver has advised with `drm_gem_shmem_madvise_locked()`: no `Object` is ever
//   advised or purged, since this module calls neither function and no C driver has an `Object`.
// - `#[devres_lazy]` stands on the destructor of `Object`.
unsafe impl<T: DriverObject> Map<Object<T>> for SgTable {
    type Target = SGTable;

    /// The C helper unmaps for `obj->dev->dev`, and the object keeps `obj->dev`.
    type Keep = ();

    fn keep(_obj: &Object<T>) -> Self::Keep {}

    fn map(obj: &Object<T>, _dev: &Device<Bound>) -> Result<NonNull<SGTable>> {
        // SAFETY: By the type invariants, `obj` is initialised.
        let is_imported = unsafe { !(*obj.as_raw()).import_attach.is_null() };

        // An imported object's table is the exporter's, who also unmaps it.
        if is_imported {
            return Err(EOPNOTSUPP);
        }

        // SAFETY: By the type invariants, `obj` is an initialised shmem object.
        let sgt =
            from_err_ptr(unsafe { bindings::drm_gem_shmem_get_pages_sgt(obj.as_raw_shmem()) })?;

        NonNull::new(sgt.cast()).ok_or(ENOMEM)
    }

    unsafe fn unmap(obj: &Object<T>, _keep: &Self::Keep, _sgt: NonNull<SGTable>) {
        let _resv = DmaResvGuard::new(obj);

        // SAFETY: The table is mapped, nobody uses it any more, and the reservation lock is held.
        unsafe { bindings::__drm_gem_shmem_free_sgt_locked(obj.as_raw_shmem()) };

        // SAFETY: Mapping took a use count of the pages, and the reservation lock is held.
        unsafe { bindings::drm_gem_shmem_put_pages_locked(obj.as_raw_shmem()) };
    }
}
// </lazy>

// SAFETY: All GEM objects are thread-safe.
unsafe impl<T: DriverObject> Send for Object<T> {}

// SAFETY: All GEM objects are thread-safe.
unsafe impl<T: DriverObject> Sync for Object<T> {}

impl<T: DriverObject> Object<T> {
    const FUNCS: bindings::drm_gem_object_funcs = bindings::drm_gem_object_funcs {
        free: Some(Self::free_callback),
        ..bindings::drm_gem_object_funcs::new()
    };

    /// Creates an object of `size` bytes, rounded up to whole pages.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `EINVAL` for a size of zero, or what the driver's part fails with.
    pub fn new(dev: &drm::Device<T::Driver>, size: usize, args: T::Args) -> Result<ARef<Self>> {
        let new: Pin<KBox<Self>> = KBox::try_pin_init(
            try_pin_init!(Self {
                inner <- T::new(dev, size, args),
                // <lazy>
                sgt <- new_lazy!("Object::sgt"),
                // </lazy>
                drm: dev.into(),
                // Last, since it is `PinnedDrop` that releases it.
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

        // SAFETY: The object is only ever used pinned.
        let new = KBox::into_raw(unsafe { Pin::into_inner_unchecked(new) });

        // SAFETY: `KBox::into_raw()` does not return NULL.
        let new = unsafe { NonNull::new_unchecked(new) };

        // SAFETY: Takes over the reference that `drm_gem_shmem_init()` created.
        Ok(unsafe { ARef::from_raw(new) })
    }

    /// The DRM device that this object belongs to.
    pub fn dev(&self) -> &drm::Device<T::Driver> {
        &self.drm
    }

    fn as_raw_shmem(&self) -> *mut bindings::drm_gem_shmem_object {
        self.obj.get()
    }

    extern "C" fn free_callback(obj: *mut bindings::drm_gem_object) {
        // SAFETY: Every GEM object with `FUNCS` is the base of the shmem object in an `Object<T>`.
        let this = ptr::from_ref(unsafe { Self::from_raw(obj) }).cast_mut();

        // SAFETY: `new()` leaked it from a `KBox`, and this was the last reference.
        drop(unsafe { KBox::from_raw(this) });
    }
}

// <lazy>
// </lazy>
#[pinned_drop]
impl<T: DriverObject> PinnedDrop for Object<T> {
    fn drop(mut self: Pin<&mut Self>) {
        // First of all, while all of `*self` is whole: drops what the lazy fields hold, for good
        // (S1).
        <dyn ::kernel::devres::TeardownFirst>::teardown_first(&mut self);

        // SAFETY: By the type invariants `obj` is initialised, and nobody uses it after this. It
        // reads `obj->dev`, which `drm` keeps: fields are dropped after this function.
        unsafe { bindings::drm_gem_shmem_release(self.as_raw_shmem()) };
    }
}

// SAFETY: S4: `drop()` above begins with `teardown_first()`, and nothing that the author has
// written is in the scope of that call.
unsafe impl<T: DriverObject> ::kernel::devres::TeardownFirst for Object<T> {}

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
