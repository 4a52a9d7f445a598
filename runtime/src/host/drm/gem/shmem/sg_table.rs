// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Maps and unmaps the scatter-gather table of an object. The items below the imports are those of
//! the kernel: `cargo xtask kernel apply` adds them to `rust/kernel/drm/gem/shmem.rs`.

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

/// Maps the scatter-gather table that the C helper keeps in the object, or that the exporter of an
/// imported object makes.
pub struct SgTable;

impl SgTable {
    const DIRECTION: bindings::dma_data_direction = bindings::dma_data_direction::DMA_BIDIRECTIONAL;

    /// The attachment to the buffer that the object was imported from.
    fn attachment<T: DriverObject>(
        obj: &Object<T>,
    ) -> Option<NonNull<bindings::dma_buf_attachment>> {
        // SAFETY: `obj` is a valid GEM object. Its attachment is set before other code knows of the
        // object, and does not change.
        NonNull::new(unsafe { (*obj.as_raw()).import_attach })
    }
}

// SAFETY:
// - The table that `drm_gem_shmem_get_pages_sgt()` returns does not change. Three functions of the
//   C helper free it. Only `unmap()` calls `__drm_gem_shmem_free_sgt_locked()`.
//   `drm_gem_shmem_release()` comes after the teardown. `drm_gem_shmem_purge_locked()` is for
//   objects that a C driver has advised with `drm_gem_shmem_madvise_locked()`. No `Object` is ever
//   advised or purged: this module calls neither function, and no C driver has an `Object`.
// - The table that `dma_buf_map_attachment_unlocked()` returns does not change, and its exporter
//   keeps it until it is unmapped: the attachment is static, as `dma_buf_attach()` makes it. No
//   other code has the table, which is not put into the object.
// - Objects are only ever dropped by `free_callback()`, which begins with their teardown.
// - Until then only C code writes to an `Object`, in `obj`, and no code calls its `project()`.
unsafe impl<T: DriverObject> Map<Object<T>> for SgTable {
    type Target = scatterlist::SGTable;

    /// Unmapping reads `obj->dev->dev`, or the attachment. The object keeps both.
    type Keep = ();

    fn keep(_obj: &Object<T>) -> Self::Keep {}

    fn map(obj: &Object<T>, _dev: &device::Device<Bound>) -> Result<NonNull<scatterlist::SGTable>> {
        let sgt = match Self::attachment(obj) {
            // SAFETY: `drm_gem_shmem_release()` detaches, after the teardown. The attachment is for
            // the object's device, which is bound.
            Some(attach) => unsafe {
                bindings::dma_buf_map_attachment_unlocked(attach.as_ptr(), Self::DIRECTION)
            },
            // SAFETY: `obj` is an initialised shmem object.
            None => unsafe { bindings::drm_gem_shmem_get_pages_sgt(obj.as_raw_shmem()) },
        };

        NonNull::new(from_err_ptr(sgt)?.cast()).ok_or(ENOMEM)
    }

    unsafe fn unmap(obj: &Object<T>, _keep: &Self::Keep, sgt: NonNull<scatterlist::SGTable>) {
        if let Some(attach) = Self::attachment(obj) {
            let sgt = sgt.as_ptr().cast();

            // SAFETY: The table was mapped like this, and is not used any more.
            unsafe {
                bindings::dma_buf_unmap_attachment_unlocked(attach.as_ptr(), sgt, Self::DIRECTION)
            };
            return;
        }

        let _resv = DmaResvGuard::new(obj);
        let shmem = obj.as_raw_shmem();

        // SAFETY: The table is mapped and not used any more, and the reservation lock is held.
        unsafe { bindings::__drm_gem_shmem_free_sgt_locked(shmem) };

        // The device may have written to the pages. Clean ones would lose that under reclaim.
        // SAFETY: The reservation lock, which protects the field, is held.
        unsafe { bindings::drm_gem_shmem_object::set_pages_mark_dirty_on_put_raw(shmem, true) };

        // SAFETY: Mapping has taken a use count of the pages, and the reservation lock is held.
        unsafe { bindings::drm_gem_shmem_put_pages_locked(shmem) };
    }
}
