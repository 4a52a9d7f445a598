// SPDX-License-Identifier: Apache-2.0 OR MIT
// Expanded from shmem_sgt.rs by cargo-devres-lazy; S1, S2, ..: see its docs/safety.md.

//! The reference instance: a shmem GEM object whose scatter-gather table is mapped on first use.
//!
//! The annotated field is the one that `cargo xtask kernel apply` puts into Linux. `SgTable` is in
//! the file from which the library's object, `kernel::drm::gem::shmem::Object`, and the kernel's
//! have it.
//!
//! The same object by hand, as Linux 7.3 has it, is `shmem/by_hand.rs`. `tests/mutants` runs the
//! kernel's suite of the contract over both objects.
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
    bindings, container_of,
    device::{self, Bound},
    devres::{
        same_device, Entry, HasView, Lazy, LazyGuard, LazyOwner, MapMarker, Mapped, OwnerView,
        TeardownFirst, Vacant,
    },
    drm::{
        gem::{impl_aref_for_gem_obj, BaseObjectPrivate, DriverObject, IntoGEMObject},
        Device,
    },
    error::to_result,
    new_lazy,
    prelude::*,
    scatterlist,
    sync::aref::ARef,
    types::Opaque,
};
use sg_table::SgTable;
use std::{ops::Deref, process::ExitCode, ptr::NonNull};

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
/// never freed. Objects of a driver belong in its registration data, which is dropped when the
/// device is unbound.
///
/// # Invariants
///
/// - `obj` is an initialised `struct drm_gem_shmem_object` for the lifetime of the object.
/// - `drm` is the DRM device that `obj` was initialised with.
#[pin_data(PinnedDrop)]
#[repr(C)]
pub struct Object<T: DriverObject> {
    #[pin]
    obj: Opaque<bindings::drm_gem_shmem_object>,

    /// The object whose reservation object this one uses.
    parent_resv_obj: Option<ARef<Object<T>>>,

    /// Scatter-gather table of this object's DMA pages.
    ///
    /// Must not be called with the object's reservation lock held, which mapping takes. The table
    /// of an imported object is mapped by the exporter of its buffer.
    #[pin]
    sgt: Lazy<Mapped<Self, SgTable>>,
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
    pub fn sg_table<'a>(
        &'a self,
        dev: &'a device::Device<Bound>,
    ) -> Result<&'a scatterlist::SGTable> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(sgt) = Lazy::get(&self.sgt, dev) {
            return Ok(&**sgt);
        }

        self.sg_table_slow(dev)
    }

    /// The slow path of `sg_table()`: maps, or fails.
    #[cold]
    #[inline(never)]
    fn sg_table_slow<'a>(
        &'a self,
        dev: &'a device::Device<Bound>,
    ) -> Result<&'a scatterlist::SGTable> {
        // Any thread may use the target.
        const fn sgt_is_send_and_sync<T>()
        where
            T: Send + Sync + ?Sized,
        {
        }
        sgt_is_send_and_sync::<scatterlist::SGTable>();

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
                OwnerView::<Self, SgTable>::new(
                    place,
                    &raw const self.sgt,
                    self,
                    ::core::marker::PhantomData::<
                        fn(&Self, &SgTable, &dyn LazyOwner, &dyn TeardownFirst),
                    >,
                )
            }
        })?;

        Ok(&**sgt)
    }

    /// Returns whether this object belongs to the given device.
    fn sg_table_device_is(&self, other: &device::Device<Bound>) -> bool {
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
    pub fn sg_table_if_mapped<'a>(
        &'a self,
        dev: &'a device::Device<Bound>,
    ) -> Result<Option<&'a scatterlist::SGTable>> {
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
    pub fn try_sg_table(&self) -> Option<LazyGuard<'_, Mapped<Self, SgTable>>> {
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

impl<T: DriverObject> HasView<SgTable> for Object<T> {
    type Map = <SgTable as MapMarker<Self>>::Map;
}

impl<T: DriverObject> LazyOwner for Object<T> {
    fn teardown(self: Pin<&mut Self>) {
        // SAFETY: Slots are pinned, and the closure borrows nothing but one (S10).
        Lazy::<Mapped<Self, SgTable>>::retire(unsafe {
            Pin::map_unchecked_mut(self, |owner| &mut owner.sgt)
        });
    }
}

#[pinned_drop]
impl<T: DriverObject> PinnedDrop for Object<T> {
    fn drop(mut self: Pin<&mut Self>) {
        // The lazy fields go first, while the rest of `*self` is whole.
        <dyn TeardownFirst>::teardown_first(&mut self);
    }
}

// SAFETY: `drop()` begins with `teardown_first()`, and nothing that the author has written is in
// the scope of that call (S4).
unsafe impl<T: DriverObject> TeardownFirst for Object<T> {}

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
                sgt <- new_lazy!("Object::sgt"),
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

        // SAFETY: This was the last reference, so nobody else uses the object.
        let owner = unsafe { &mut *this };

        // Unmaps the lazy fields while the GEM object is still whole.
        // SAFETY: GEM objects are pinned.
        unsafe { Pin::new_unchecked(owner) }.teardown();

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

        // SAFETY: `obj` is the shmem object in an `Object<T>`, whose base the caller has passed.
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
