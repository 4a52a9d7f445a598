// SPDX-License-Identifier: GPL-2.0

//! Code in place of the hand-written scatter-gather table in `Object`, in
//! `rust/kernel/drm/gem/shmem.rs`. Each part is taken from here by name: the documentation of
//! `Object`, its fields, the body of `dev()`, and the statement of `free_callback()`. The last
//! field here becomes the last field there. The items behind `Object` are those of the host, in
//! `runtime/src/host/drm/gem/shmem/sg_table.rs`.

/// - `drm` is the DRM device that `obj` was initialised with.
///
/// # Cycles
///
/// The object holds a reference to its DRM device. If [`drm::Driver::Data`] owns objects of its own
/// device, device and objects form a cycle of references and are never freed. Such objects belong
/// in [`drm::Driver::RegistrationData`], which is dropped when the device is unbound.
///
/// [`drm::Driver::Data`]: crate::drm::Driver::Data
/// [`drm::Driver::RegistrationData`]: crate::drm::Driver::RegistrationData
struct Object<T: DriverObject> {
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
    /// The DRM device, which `drm_gem_shmem_release()` reads: a GEM object holds no reference to
    /// `obj->dev`. The last field, since fields are dropped in the order of declaration.
    drm: ARef<Device<T::Driver>>,
}

impl<T: DriverObject> Object<T> {
    fn dev(&self) -> &Device<T::Driver> {
        &self.drm
    }

    fn free_callback(this: *mut Self) {
        // Unmaps the lazy fields while the GEM object is still whole.
        // SAFETY:
        // - We verified above that `this` is valid, and we are in `free_callback()`, so no other
        //   code has access to it.
        // - GEM objects are pinned.
        unsafe { Pin::new_unchecked(&mut *this) }.teardown();
    }
}
