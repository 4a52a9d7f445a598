// SPDX-License-Identifier: GPL-2.0

//! What takes the place of the hand-written scatter-gather table in `rust/kernel/drm/gem/shmem.rs`,
//! and a cached kernel mapping beside it. The items are taken from here by name: the fields of
//! `Object`, the statement of `free_callback()`, and the rest of the file as it stands.

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

    /// This object's memory as the kernel sees it: what [`vmap()`](Self::vmap) makes, made once.
    ///
    /// The pages are pinned for as long as it is mapped. Must not be called with the object's
    /// reservation lock held, which mapping takes.
    #[lazy(
        pub fn cached_vmap -> VMapMemory,
        device = self.dev().as_ref().as_ref(),
        map = CachedVMap,
        peek = cached_vmap_if_mapped,
        try_access = try_cached_vmap,
        revoke = unmap_cached_vmap,
    )]
    vmap_cache: Mapped<Self, CachedVMap>,
}

impl<T: DriverObject> Object<T> {
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
// - The table that `drm_gem_shmem_get_pages_sgt()` makes does not change, and stays until
//   `__drm_gem_shmem_free_sgt_locked()`, which nobody but `unmap()` calls before the object is
//   released.
// - Objects are only ever dropped by `free_callback()`, which begins with their teardown.
unsafe impl<T: DriverObject> Map<Object<T>> for SgTable {
    type Target = scatterlist::SGTable;

    /// Unmapping reads `obj->dev->dev`, and a GEM object holds no reference to `obj->dev`.
    type Keep = ARef<Device<T::Driver>>;

    fn keep(obj: &Object<T>) -> Self::Keep {
        obj.dev().into()
    }

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

    unsafe fn unmap(obj: &Object<T>, _drm: &Self::Keep, _sgt: NonNull<scatterlist::SGTable>) {
        let _resv = DmaResvGuard::new(obj);

        // SAFETY: The table is mapped, nobody uses it any more, and the reservation lock is held.
        unsafe { bindings::__drm_gem_shmem_free_sgt_locked(obj.as_raw_shmem()) };

        // SAFETY: Mapping has taken a use count of the pages, and the reservation lock is held.
        unsafe { bindings::drm_gem_shmem_put_pages_locked(obj.as_raw_shmem()) };
    }
}

/// The memory of an object where the kernel has it mapped, for use with [`Io`](crate::io::Io).
///
/// Userspace and the device may write to it at any time. So nobody ever has a reference to what is
/// in it, only to this, and what is read and written is read and written as it is in a [`VMap`].
///
/// # Invariants
///
/// It is system memory, mapped for as long as it is borrowed.
#[repr(transparent)]
pub struct VMapMemory(UnsafeCell<Region>);

// SAFETY: It is memory that all threads share, and has no destructor.
unsafe impl Send for VMapMemory {}

// SAFETY: There is no access to it but through `SysMem`, whose accesses may race.
unsafe impl Sync for VMapMemory {}

impl<'a> IoBase<'a> for &'a VMapMemory {
    type Backend = SysMemBackend;
    type Target = Region;

    #[inline]
    fn as_view(self) -> SysMem<'a, Region> {
        // SAFETY:
        // - By the type invariants it is mapped for `'a`, and accessible to the kernel.
        // - It is aligned as a `Region`, of which it is a transparent wrapper.
        unsafe { SysMem::new(self.0.get()) }
    }
}

/// Maps the memory of an object into the kernel's address space, once.
pub struct CachedVMap;

// SAFETY:
// - What `map()` returns is mapped by a use of the C helper's mapping, which only `unmap()` ends.
//   Until then the mapping stays where it is, whoever else begins and ends other uses of it. It is
//   shared by all threads as `VMapMemory` is.
// - Objects are only ever dropped by `free_callback()`, which begins with their teardown.
unsafe impl<T: DriverObject> Map<Object<T>> for CachedVMap {
    type Target = VMapMemory;

    /// Unmapping reads the pages, their file and the reservation object. The object keeps the first
    /// two until it is released, and with `parent_resv_obj` the third. `obj->dev` is not read.
    type Keep = ();

    fn keep(_obj: &Object<T>) -> Self::Keep {}

    fn map(obj: &Object<T>, _dev: &device::Device<Bound>) -> Result<NonNull<VMapMemory>> {
        // SAFETY: `obj` is a valid GEM object.
        let is_imported = unsafe { !(*obj.as_raw()).import_attach.is_null() };

        // The memory of an imported object is the exporter's, who cannot move it while it is
        // mapped, and wants to know of each access (`dma_buf_begin_cpu_access()`). A mapping that
        // is there until our device is unbound is not what was agreed: `vmap()` is for that.
        if is_imported {
            return Err(EOPNOTSUPP);
        }

        let vmap = obj.vmap::<0>()?;
        let memory = Region::<0>::ptr_from_raw_parts_mut(vmap.addr.cast(), obj.size());

        // INVARIANT: `vmap()` refuses I/O memory, and its mapping stays until `unmap()`.
        let memory = NonNull::new(memory as *mut VMapMemory).ok_or(ENOMEM)?;
        core::mem::forget(vmap);

        Ok(memory)
    }

    unsafe fn unmap(obj: &Object<T>, _keep: &Self::Keep, memory: NonNull<VMapMemory>) {
        // INVARIANT: The mapping that `map()` has kept from being dropped.
        let vmap: VMapRef<'_, T> = VMap {
            addr: memory.as_ptr().cast(),
            owner: obj,
        };
        drop(vmap);
    }
}
