// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The same object with a cell of a general-purpose library in it, and a comparison of the device
//! before that.
//!
//! Neither cell can be emptied while it is shared, so nothing unmaps the table at unbind. The
//! benchmark drops all objects before that.
//!
//! The comparison reads the device through raw pointers, as the kernel does. So it does without the
//! host's check for a freed DRM device, which the object by hand has.

use super::{driver::Driver, measured::Access};
use kernel::{
    bindings, container_of,
    device::{Bound, Device},
    drm::{
        self,
        gem::{impl_aref_for_gem_obj, IntoGEMObject},
    },
    error::{from_err_ptr, to_result},
    prelude::*,
    scatterlist::SGTable,
    sync::aref::ARef,
    types::Opaque,
};
use once_cell::sync::OnceCell;
use std::{
    mem,
    ops::Deref,
    ptr::{self, NonNull},
    sync::{Mutex, OnceLock, PoisonError},
};

/// A cell that is filled once, by the first who asks.
pub(crate) trait Once: Default + Send + Sync + 'static {
    /// Returns the table of the map in the cell, which `init` makes if there is none yet.
    fn table(&self, init: impl FnOnce() -> Result<SGTableMap>) -> Result<&SGTable>;
}

impl Once for OnceCell<SGTableMap> {
    #[inline]
    fn table(&self, init: impl FnOnce() -> Result<SGTableMap>) -> Result<&SGTable> {
        let map = self.get_or_try_init(init)?;

        Ok(map)
    }
}

/// The cell of the standard library, and the lock that it takes until `get_or_try_init()` of that
/// is stable: a table that two threads made would be freed twice.
#[derive(Default)]
pub(crate) struct LockedOnce {
    cell: OnceLock<SGTableMap>,
    lock: Mutex<()>,
}

impl LockedOnce {
    #[cold]
    #[inline(never)]
    fn slow_path(&self, init: impl FnOnce() -> Result<SGTableMap>) -> Result<&SGTable> {
        let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(map) = self.cell.get() {
            return Ok(map);
        }

        let map = init()?;
        Ok(self.cell.get_or_init(|| map))
    }
}

impl Once for LockedOnce {
    #[inline]
    fn table(&self, init: impl FnOnce() -> Result<SGTableMap>) -> Result<&SGTable> {
        if let Some(map) = self.cell.get() {
            return Ok(map);
        }

        self.slow_path(init)
    }
}

/// A shmem-backed GEM object whose table is in a `C`.
///
/// # Invariants
///
/// `obj` is an initialised `struct drm_gem_shmem_object` for the lifetime of the object.
#[pin_data]
#[repr(C)]
pub(crate) struct Object<C: Once> {
    #[pin]
    obj: Opaque<bindings::drm_gem_shmem_object>,
    sgt: C,
}

// SAFETY: All GEM objects are thread-safe.
unsafe impl<C: Once> Send for Object<C> {}

// SAFETY: All GEM objects are thread-safe.
unsafe impl<C: Once> Sync for Object<C> {}

impl<C: Once> Object<C> {
    const FUNCS: bindings::drm_gem_object_funcs = bindings::drm_gem_object_funcs {
        free: Some(Self::free_callback),
        ..bindings::drm_gem_object_funcs::new()
    };

    /// Creates an object of `size` bytes, rounded up to whole pages.
    pub(crate) fn new(drm: &drm::Device<Driver>, size: usize) -> Result<ARef<Self>> {
        let new: Pin<KBox<Self>> = KBox::try_pin_init(
            try_pin_init!(Self {
                sgt: C::default(),
                obj <- Opaque::try_ffi_init(|obj: *mut bindings::drm_gem_shmem_object| {
                    // SAFETY: `obj` is valid for writes, zeroes are a valid value of it.
                    unsafe { obj.write_bytes(0, 1) };

                    // SAFETY: `obj` is valid, and zeroed as from `kzalloc()`.
                    unsafe { (*obj).base.funcs = &Self::FUNCS };

                    // SAFETY: `drm` is valid, and `obj` is zeroed up to its functions.
                    to_result(unsafe { bindings::drm_gem_shmem_init(drm.as_raw(), obj, size) })
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

    /// The `struct device` that this object belongs to.
    #[inline]
    fn device(&self) -> *mut bindings::device {
        // SAFETY: By the type invariants, `obj` is initialised.
        let drm = unsafe { (*self.as_raw()).dev };

        // SAFETY: A DRM device that is not in use any more still has its parent.
        unsafe { (*drm).dev }
    }

    /// The scatter-gather table of this object's DMA pages.
    #[inline]
    pub(crate) fn sg_table<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a SGTable> {
        if self.device() != dev.as_raw() {
            return Err(EINVAL);
        }

        // SAFETY: `sgt` is dropped before the object is released.
        self.sgt.table(|| unsafe { self.map() })
    }

    /// Maps the table, whatever is in `sgt`.
    ///
    /// # Safety
    ///
    /// The result must be dropped before the object is released.
    pub(crate) unsafe fn map(&self) -> Result<SGTableMap> {
        let obj = self.obj.get();

        // SAFETY: By the type invariants, `obj` is an initialised shmem object.
        let sgt = from_err_ptr(unsafe { bindings::drm_gem_shmem_get_pages_sgt(obj) })?;

        // INVARIANT: Mapped above. `obj` is valid for as long as the caller promises.
        Ok(SGTableMap {
            sgt: NonNull::new(sgt.cast()).ok_or(ENOMEM)?,
            obj: NonNull::new(obj).ok_or(ENOMEM)?,
        })
    }

    extern "C" fn free_callback(obj: *mut bindings::drm_gem_object) {
        // SAFETY: Every GEM object with `FUNCS` is the base of the shmem object in an `Object<C>`.
        let this = ptr::from_ref(unsafe { Self::from_raw(obj) }).cast_mut();

        // SAFETY: This was the last reference. The table has to go while the object is still whole.
        drop(mem::take(unsafe { &mut (*this).sgt }));

        // SAFETY: `this` is valid.
        let obj = unsafe { (*this).obj.get() };

        // SAFETY: By the type invariants `obj` is initialised, and nobody uses it after this.
        unsafe { bindings::drm_gem_shmem_release(obj) };

        // SAFETY: `new()` leaked it from a `KBox`, and this was the last reference.
        drop(unsafe { KBox::from_raw(this) });
    }
}

impl<C: Once> IntoGEMObject for Object<C> {
    #[inline]
    fn as_raw(&self) -> *mut bindings::drm_gem_object {
        // SAFETY: By the type invariants, `obj` is initialised.
        unsafe { &raw mut (*self.obj.get()).base }
    }

    unsafe fn from_raw<'a>(obj: *mut bindings::drm_gem_object) -> &'a Self {
        // SAFETY: The caller has a pointer to the base of the shmem object in an `Object<C>`.
        let obj = unsafe { container_of!(obj, bindings::drm_gem_shmem_object, base) };

        // SAFETY: `obj` is the shmem object in an `Object<C>`, whose base the caller has passed.
        let this = unsafe { container_of!(Opaque::cast_from(obj), Self, obj) };

        // SAFETY: The caller promises that the object is valid for `'a`.
        unsafe { &*this }
    }
}

impl_aref_for_gem_obj! {
    impl<C> for Object<C>
    where
        C: Once
}

impl<C: Once> Access for Object<C> {
    type Lent = SGTable;

    #[inline(always)]
    fn access<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a SGTable> {
        self.sg_table(dev)
    }
}

/// Proof that the table of an object is mapped; unmaps it when dropped.
///
/// # Invariants
///
/// `obj` is valid, and `sgt` is its table, which is mapped.
pub(crate) struct SGTableMap {
    sgt: NonNull<SGTable>,
    obj: NonNull<bindings::drm_gem_shmem_object>,
}

// SAFETY: By the type invariants, `obj` is valid, and GEM objects are thread-safe.
unsafe impl Send for SGTableMap {}

// SAFETY: By the type invariants, `obj` is valid, and GEM objects are thread-safe.
unsafe impl Sync for SGTableMap {}

impl Deref for SGTableMap {
    type Target = SGTable;

    #[inline]
    fn deref(&self) -> &SGTable {
        // SAFETY: By the type invariants, the table is mapped.
        unsafe { self.sgt.as_ref() }
    }
}

impl Drop for SGTableMap {
    fn drop(&mut self) {
        let obj = self.obj.as_ptr();

        // SAFETY: By the type invariants, `obj` is valid.
        let resv = unsafe { (*obj).base.resv };

        // SAFETY: The object has that reservation object for as long as it lives.
        unsafe { bindings::dma_resv_lock(resv, ptr::null_mut()) };

        // SAFETY: By the type invariants the table is mapped, and the reservation lock is held.
        unsafe { bindings::__drm_gem_shmem_free_sgt_locked(obj) };

        // SAFETY: The lock was acquired above.
        unsafe { bindings::dma_resv_unlock(resv) };
    }
}
