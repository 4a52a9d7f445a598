// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The same object written by hand, with what Linux 7.3 does in `drm::gem::shmem::Object`: the
//! yardstick for lines, `unsafe` and speed, and the control that has to fail where the kernel does.
//! `tests/mutants` runs the kernel's suite of the contract over it.
//!
//! It keeps the kernel's holes on purpose. `access()` does not notice a rebind. The table is mapped
//! before memory for it is allocated. Unmapping does not put the pages that mapping took.

use super::resv::DmaResvGuard;
use kernel::{
    bindings, container_of,
    device::{Bound, Device},
    devres::Devres,
    drm::{
        self,
        gem::{impl_aref_for_gem_obj, BaseObjectPrivate, DriverObject, IntoGEMObject},
    },
    error::{from_err_ptr, to_result},
    new_mutex,
    prelude::*,
    scatterlist::SGTable,
    sync::{aref::ARef, Mutex, SetOnce},
    types::Opaque,
};
use std::{mem::ManuallyDrop, ops::Deref, ptr::NonNull};

/// How an [`Object`] is made.
pub(crate) struct ObjectConfig<'a, T: DriverObject> {
    /// The object whose reservation object is used, in place of the new object's own.
    pub(crate) parent_resv_obj: Option<&'a Object<T>>,
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
/// # Invariants
///
/// `obj` is an initialised `struct drm_gem_shmem_object` for the lifetime of the object.
#[pin_data]
#[repr(C)]
pub(crate) struct Object<T: DriverObject> {
    #[pin]
    obj: Opaque<bindings::drm_gem_shmem_object>,

    /// The object whose reservation object this one uses.
    parent_resv_obj: Option<ARef<Object<T>>>,

    /// Unmaps the table when the driver is unbound.
    sgt_res: ManuallyDrop<SetOnce<Devres<SGTableMap<T>>>>,

    /// Held while `sgt_res` is populated.
    #[pin]
    sgt_lock: Mutex<()>,
    #[pin]
    inner: T,
}

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
    pub(crate) fn new(
        dev: &drm::Device<T::Driver>,
        size: usize,
        config: ObjectConfig<'_, T>,
        args: T::Args,
    ) -> Result<ARef<Self>> {
        let new: Pin<KBox<Self>> = KBox::try_pin_init(
            try_pin_init!(Self {
                parent_resv_obj: config.parent_resv_obj.map(|parent| parent.into()),
                inner <- T::new(dev, size, args),
                sgt_res: ManuallyDrop::new(SetOnce::new()),
                sgt_lock <- new_mutex!((), "Object::sgt_lock"),
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
    pub(crate) fn dev(&self) -> &drm::Device<T::Driver> {
        // SAFETY: By the type invariants, `as_raw()` is an initialised GEM object.
        let dev = unsafe { (*self.as_raw()).dev };

        // SAFETY: `new()` was called with a `drm::Device<T::Driver>`, which is what `dev` is in.
        unsafe { drm::Device::from_raw(dev) }
    }

    pub(super) fn as_raw_shmem(&self) -> *mut bindings::drm_gem_shmem_object {
        self.obj.get()
    }

    /// The scatter-gather table of this object's DMA pages.
    pub(crate) fn sg_table<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a SGTable> {
        let owner_device: &Device = self.dev().as_ref().as_ref();
        if owner_device.as_raw() != dev.as_raw() {
            return Err(EINVAL);
        }

        let sgt_res = 'populated: {
            if let Some(sgt_res) = self.sgt_res.as_ref() {
                break 'populated sgt_res;
            }

            let _guard = self.sgt_lock.lock();
            if let Some(sgt_res) = self.sgt_res.as_ref() {
                break 'populated sgt_res;
            }

            // Only a holder of the lock populates, and it was empty a line above.
            self.sgt_res
                .populate(Devres::new(dev, SGTableMap::new(self))?);

            // SAFETY: Populated a line above.
            unsafe { self.sgt_res.as_ref().unwrap_unchecked() }
        };

        Ok(sgt_res.access(dev)?)
    }

    extern "C" fn free_callback(obj: *mut bindings::drm_gem_object) {
        // SAFETY: Every GEM object with `FUNCS` is the base of a shmem object.
        let shmem = unsafe { container_of!(obj, bindings::drm_gem_shmem_object, base) };

        // SAFETY: Every shmem object with `FUNCS` is the one in an `Object<T>`.
        let this = unsafe { container_of!(Opaque::cast_from(shmem), Self, obj) }.cast_mut();

        // SAFETY: This was the last reference, so `this` is ours.
        let sgt_res = unsafe { &mut (*this).sgt_res };

        // It has to go while the object is still whole.
        // SAFETY: Nobody uses `sgt_res` after this.
        unsafe { ManuallyDrop::drop(sgt_res) };

        // SAFETY: This was the last reference.
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

/// Proof that the table of an object is mapped; unmaps it when dropped.
///
/// # Invariants
///
/// `obj` is valid, and its table is mapped.
pub(crate) struct SGTableMap<T: DriverObject> {
    obj: NonNull<Object<T>>,
}

impl<T: DriverObject> SGTableMap<T> {
    fn new(obj: &Object<T>) -> Result<Self> {
        // SAFETY: By the type invariants, `obj` is an initialised shmem object.
        from_err_ptr(unsafe { bindings::drm_gem_shmem_get_pages_sgt(obj.as_raw_shmem()) })?;

        // INVARIANT: Mapped above. The object drops this before anything else of it.
        Ok(Self { obj: obj.into() })
    }
}

impl<T: DriverObject> Deref for SGTableMap<T> {
    type Target = SGTable;

    fn deref(&self) -> &SGTable {
        // SAFETY: By the type invariants, `obj` is valid.
        let obj = unsafe { self.obj.as_ref() };

        // SAFETY: By the type invariants, the object is initialised and its table is mapped.
        let sgt = unsafe { (*obj.as_raw_shmem()).sgt };

        // SAFETY: By the type invariants, the table is mapped for as long as `self` lives.
        unsafe { SGTable::from_raw(sgt) }
    }
}

impl<T: DriverObject> Drop for SGTableMap<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, `obj` is valid.
        let obj = unsafe { self.obj.as_ref() };
        let _resv = DmaResvGuard::new(obj);

        // SAFETY: By the type invariants the table is mapped, and the reservation lock is held.
        unsafe { bindings::__drm_gem_shmem_free_sgt_locked(obj.as_raw_shmem()) };
    }
}

// SAFETY: By the type invariants, `obj` is valid, and GEM objects are thread-safe.
unsafe impl<T: DriverObject> Send for SGTableMap<T> {}

// SAFETY: By the type invariants, `obj` is valid, and GEM objects are thread-safe.
unsafe impl<T: DriverObject> Sync for SGTableMap<T> {}
