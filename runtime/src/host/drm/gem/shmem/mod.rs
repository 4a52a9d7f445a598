// SPDX-License-Identifier: Apache-2.0 OR MIT

//! GEM objects in shared memory. Stands for `rust/kernel/drm/gem/shmem.rs`, as it is with
//! `#[devres_lazy]` applied. C header: `include/drm/drm_gem_shmem_helper.h`.

// The suites of the kernel, from the same files.
#[cfg(test)]
mod contents;
#[cfg(test)]
#[path = "../../../../../../kernel/tree/rust/kernel/drm/gem/shmem/contract_kunit.rs"]
mod contract_kunit;
#[cfg(test)]
#[path = "../../../../../../kernel/tree/rust/kernel/drm/gem/shmem/import_kunit.rs"]
mod import_kunit;
#[cfg(test)]
#[path = "../../../../../../kernel/tree/rust/kernel/drm/gem/shmem/lazy_kunit.rs"]
mod lazy_kunit;
#[cfg(test)]
#[path = "../../../../../../kernel/tree/rust/kernel/drm/gem/shmem/stress_kunit.rs"]
mod stress_kunit;
#[cfg(test)]
#[path = "../../../../../../kernel/tree/rust/kernel/drm/gem/shmem/vmap_kunit.rs"]
mod vmap_kunit;

#[doc(hidden)]
pub mod crates_kunit;
#[cfg(test)]
mod import;
mod resv;
mod sg_table;
mod vmap;

pub use self::{
    sg_table::SgTable,
    vmap::{VMap, VMapOwned, VMapRef},
};
use super::{
    close_callback, open_callback, BaseObject, BaseObjectPrivate, DriverObject, IntoGEMObject,
};
use crate::{
    bindings, container_of,
    devres::{LazyOwner, Mapped},
    devres_lazy,
    drm::{driver, Device},
    error::to_result,
    impl_aref_for_gem_obj, new_lazy,
    prelude::*,
    scatterlist,
    sync::aref::ARef,
    types::Opaque,
};
use core::{
    ops::{Deref, DerefMut},
    ptr::NonNull,
};
#[cfg(test)]
use resv::DmaResvGuard;

/// How an [`Object`] is made.
pub struct ObjectConfig<'a, T: DriverObject> {
    /// Whether mappings of the object's memory combine writes.
    pub map_wc: bool,

    /// The object whose reservation object is used, in place of the new object's own. The new
    /// object holds a reference to it.
    pub parent_resv_obj: Option<&'a Object<T>>,
}

impl<T: DriverObject> Default for ObjectConfig<'_, T> {
    #[inline]
    fn default() -> Self {
        Self {
            map_wc: false,
            parent_resv_obj: None,
        }
    }
}

/// A GEM object in shared memory: `struct drm_gem_shmem_object`, and the driver's part of it.
///
/// # Cycles
///
/// The object holds a reference to its DRM device. If [`drm::Driver::Data`] owns objects of its own
/// device, device and objects form a cycle of references and are never freed. Such objects belong
/// in [`drm::Driver::RegistrationData`], which is dropped when the device is unbound.
///
/// [`drm::Driver::Data`]: crate::drm::Driver::Data
/// [`drm::Driver::RegistrationData`]: crate::drm::Driver::RegistrationData
///
/// # Invariants
///
/// - `obj` is initialised.
/// - `drm` is the DRM device that `obj` was initialised with.
#[devres_lazy]
#[pin_data]
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
    #[lazy(
        pub fn sg_table -> scatterlist::SGTable,
        device = self.dev().as_ref().as_ref(),
        map = SgTable,
        peek = sg_table_if_mapped,
        try_access = try_sg_table,
        revoke = unmap_sg_table,
    )]
    sgt: Mapped<Self, SgTable>,

    #[pin]
    inner: T,

    /// The DRM device, which `drm_gem_shmem_release()` reads: a GEM object holds no reference to
    /// `obj->dev`. The last field, since fields are dropped in the order of declaration.
    drm: ARef<Device<T::Driver>>,
}

impl_aref_for_gem_obj! {
    impl<T> for Object<T>
    where
        T: DriverObject
}

// SAFETY: All GEM objects are thread-safe.
unsafe impl<T: DriverObject> Send for Object<T> {}

// SAFETY: All GEM objects are thread-safe.
unsafe impl<T: DriverObject> Sync for Object<T> {}

impl<T: DriverObject> Object<T> {
    const VTABLE: bindings::drm_gem_object_funcs = bindings::drm_gem_object_funcs {
        free: Some(Self::free_callback),
        open: Some(open_callback::<T>),
        close: Some(close_callback::<T>),
        pin: Some(bindings::drm_gem_shmem_object_pin),
        unpin: Some(bindings::drm_gem_shmem_object_unpin),
        get_sg_table: Some(bindings::drm_gem_shmem_object_get_sg_table),
        vmap: Some(bindings::drm_gem_shmem_object_vmap),
        vunmap: Some(bindings::drm_gem_shmem_object_vunmap),
    };

    /// Creates an object of `size` bytes.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or what the driver's part fails with.
    ///
    /// # Panics
    ///
    /// If `size` is not a multiple of [`PAGE_SIZE`](crate::page::PAGE_SIZE), which is a `BUG_ON()`
    /// in C.
    ///
    /// # Context
    ///
    /// May sleep.
    pub fn new(
        dev: &Device<T::Driver>,
        size: usize,
        config: ObjectConfig<'_, T>,
        args: T::Args,
    ) -> Result<ARef<Self>> {
        let parent = config.parent_resv_obj.map(|parent| parent.into());
        let new = Self::allocate(dev, size, parent, args)?;
        let shmem = new.as_raw_shmem();

        // SAFETY: `dev` is alive, and the object is zeroed up to its functions.
        to_result(unsafe { bindings::drm_gem_shmem_init(dev.as_raw(), shmem, size) })?;

        // SAFETY: The object is only ever used pinned.
        let new = KBox::into_raw(unsafe { Pin::into_inner_unchecked(new) });
        // SAFETY: The pointer of a box is not null.
        let new = unsafe { NonNull::new_unchecked(new) };
        // INVARIANT: It was initialised, with `dev`.
        // SAFETY: This takes over the first reference.
        let new = unsafe { ARef::from_raw(new) };

        if let Some(parent) = config.parent_resv_obj {
            // SAFETY: Nobody else knows of the object.
            unsafe { (*shmem).base.resv = parent.raw_dma_resv() };
        }
        // SAFETY: Nobody else knows of the object.
        unsafe { (*shmem).map_wc = config.map_wc };

        Ok(new)
    }

    /// Allocates an object, which C code has yet to initialise.
    fn allocate(
        dev: &Device<T::Driver>,
        size: usize,
        parent_resv_obj: Option<ARef<Self>>,
        args: T::Args,
    ) -> Result<Pin<KBox<Self>>> {
        let new: Pin<KBox<Self>> = KBox::try_pin_init(
            try_pin_init!(Self {
                obj <- Opaque::ffi_init(|obj: *mut bindings::drm_gem_shmem_object| {
                    // SAFETY: `obj` is valid for writes, and zeroes are a valid value of it.
                    unsafe { obj.write_bytes(0, 1) }
                }),
                parent_resv_obj,
                sgt <- new_lazy!("Object::sgt"),
                inner <- T::new(dev, size, args),
                drm: dev.into(),
            }),
            GFP_KERNEL,
        )?;

        // SAFETY: Nobody else knows of the object.
        unsafe { (*new.as_raw()).funcs = const { &Self::VTABLE } };
        Ok(new)
    }

    /// Returns the DRM device that the object belongs to.
    pub fn dev(&self) -> &Device<T::Driver> {
        &self.drm
    }

    fn as_raw_shmem(&self) -> *mut bindings::drm_gem_shmem_object {
        self.obj.get()
    }

    extern "C" fn free_callback(obj: *mut bindings::drm_gem_object) {
        // SAFETY: Every GEM object with these functions is the base of a shmem object.
        let base = unsafe { container_of!(obj, bindings::drm_gem_shmem_object, base) };
        // SAFETY: That is the one in an `Object<T>`.
        let this = unsafe { container_of!(Opaque::cast_from(base), Self, obj) }.cast_mut();

        // Unmaps the lazy fields while the GEM object is still whole.
        // SAFETY: This was the last reference.
        let owner = unsafe { &mut *this };
        // SAFETY: GEM objects are pinned.
        unsafe { Pin::new_unchecked(owner) }.teardown();

        // SAFETY: This was the last reference.
        unsafe { bindings::drm_gem_shmem_release(base) };
        // SAFETY: `new()` has got it from a box.
        drop(unsafe { KBox::from_raw(this) });
    }
}

impl<T: DriverObject> Deref for Object<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: DriverObject> DerefMut for Object<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: DriverObject> IntoGEMObject for Object<T> {
    fn as_raw(&self) -> *mut bindings::drm_gem_object {
        // SAFETY: By the type invariants, `obj` is initialised.
        unsafe { &raw mut (*self.obj.get()).base }
    }

    unsafe fn from_raw<'a>(obj: *mut bindings::drm_gem_object) -> &'a Self {
        // SAFETY: The caller promises that `obj` is the base of the shmem object in an `Object<T>`.
        let obj = unsafe { container_of!(obj, bindings::drm_gem_shmem_object, base) };
        // SAFETY: The shmem object is field `obj` of an `Object<T>`.
        let this = unsafe { container_of!(Opaque::cast_from(obj), Self, obj) };
        // SAFETY: The caller promises that the object is valid for `'a`.
        unsafe { &*this }
    }
}

impl<T: DriverObject> driver::AllocImpl for Object<T> {
    type Driver = T::Driver;
}
