// SPDX-License-Identifier: GPL-2.0

//! What takes the place of the hand-written scatter-gather table in `rust/kernel/drm/gem/shmem.rs`.
//! The items are taken from here by name: what is said of `Object`, its fields, of which the last
//! one becomes the last of all, the body of `dev()`, the statement of `free_callback()`, and the
//! rest of the file as it stands.

/// - `drm` is the DRM device that `obj` was initialised with.
///
/// # Cycles
///
/// The object holds a reference to its DRM device. If [`drm::Driver::Data`] owns objects of its own
/// device, that is a cycle of references, and neither is ever freed. Such objects belong into
/// [`drm::Driver::RegistrationData`], which is dropped when the device is unbound.
///
/// [`drm::Driver::Data`]: crate::drm::Driver::Data
/// [`drm::Driver::RegistrationData`]: crate::drm::Driver::RegistrationData
struct Object<T: DriverObject> {
    /// Scatter-gather table of this object's DMA pages.
    ///
    /// Must not be called with the object's reservation lock held, which mapping takes.
    #[lazy(
        pub fn sg_table -> scatterlist::SGTable,
        device = self.dev().as_ref().as_ref(),
        map = SgTable,
        peek = sg_table_if_mapped,
        try_access = try_sg_table,
        revoke = unmap_sg_table,
    )]
    sgt: Mapped<Self, SgTable>,
    /// The DRM device, which `drm_gem_shmem_release()` reads: a GEM object holds no reference to
    /// `obj->dev`. The last field, since fields are dropped in the order of declaration.
    drm: ARef<Device<T::Driver>>,
}

impl<T: DriverObject> Object<T> {
    fn dev(&self) -> &Device<T::Driver> {
        &self.drm
    }

    fn free_callback(this: *mut Self) {
        // What is mapped lazily has to go while the GEM object is still whole.
        // SAFETY:
        // - We verified above that `this` is valid, and we are in `free_callback()`, so nobody else
        //   has access to it.
        // - GEM objects are pinned.
        unsafe { Pin::new_unchecked(&mut *this) }.teardown();
    }
}

/// Maps the scatter-gather table that the C helper keeps in the object.
pub struct SgTable;

// SAFETY:
// - The table that `drm_gem_shmem_get_pages_sgt()` returns does not change. Three functions of the
//   C helper free it. Only `unmap()` calls `__drm_gem_shmem_free_sgt_locked()`.
//   `drm_gem_shmem_release()` comes after the teardown. `drm_gem_shmem_purge_locked()` is for
//   objects that a C driver has advised with `drm_gem_shmem_madvise_locked()`: no `Object` is ever
//   advised or purged, since this module calls neither function and no C driver has an `Object`.
// - Objects are only ever dropped by `free_callback()`, which begins with their teardown.
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
