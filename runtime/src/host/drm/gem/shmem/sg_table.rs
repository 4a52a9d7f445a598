// SPDX-License-Identifier: Apache-2.0 OR MIT

//! How the scatter-gather table of an object is mapped and unmapped. The items below the imports are
//! those of the kernel: `cargo xtask kernel apply` adds them to `rust/kernel/drm/gem/shmem.rs`.

use super::{
    resv::DmaResvGuard,
    DriverObject,
    IntoGEMObject,
    Object, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    device,
    device::Bound,
    devres::Map,
    error::from_err_ptr,
    prelude::*,
    scatterlist, //
};

/// Maps the scatter-gather table that the C helper keeps in the object.
pub struct SgTable;

// SAFETY:
// - The table that `drm_gem_shmem_get_pages_sgt()` returns does not change. Three functions of the
//   C helper free it. Only `unmap()` calls `__drm_gem_shmem_free_sgt_locked()`.
//   `drm_gem_shmem_release()` comes after the teardown. `drm_gem_shmem_purge_locked()` is for
//   objects that a C driver has advised with `drm_gem_shmem_madvise_locked()`: no `Object` is ever
//   advised or purged, since this module calls neither function and no C driver has an `Object`.
// - Objects are only ever dropped by `free_callback()`, which begins with their teardown.
// - Until then only C code writes to an `Object`, in `obj`, and nobody calls its `project()`.
unsafe impl<T: DriverObject> Map<Object<T>> for SgTable {
    type Target = scatterlist::SGTable;

    /// Unmapping reads `obj->dev->dev`, and the object keeps `obj->dev`.
    type Keep = ();

    fn keep(_obj: &Object<T>) -> Self::Keep {}

    fn map(obj: &Object<T>, _dev: &device::Device<Bound>) -> Result<NonNull<scatterlist::SGTable>> {
        // SAFETY: `obj` is a valid GEM object.
        let is_imported = unsafe { !(*obj.as_raw()).import_attach.is_null() };

        // The table of an imported object is the exporter's, who also unmaps it.
        if is_imported {
            return Err(EOPNOTSUPP);
        }

        // SAFETY: `obj` is an initialised shmem object.
        let sgt =
            from_err_ptr(unsafe { bindings::drm_gem_shmem_get_pages_sgt(obj.as_raw_shmem()) })?;

        NonNull::new(sgt.cast()).ok_or(ENOMEM)
    }

    unsafe fn unmap(obj: &Object<T>, _keep: &Self::Keep, _sgt: NonNull<scatterlist::SGTable>) {
        let _resv = DmaResvGuard::new(obj);

        // SAFETY: The table is mapped, nobody uses it any more, and the reservation lock is held.
        unsafe { bindings::__drm_gem_shmem_free_sgt_locked(obj.as_raw_shmem()) };

        // SAFETY: Mapping has taken a use count of the pages, and the reservation lock is held.
        unsafe { bindings::drm_gem_shmem_put_pages_locked(obj.as_raw_shmem()) };
    }
}
