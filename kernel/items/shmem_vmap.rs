// SPDX-License-Identifier: GPL-2.0

//! The second lazy field of `Object`, in `rust/kernel/drm/gem/shmem.rs`: it keeps a kernel mapping.
//! The items behind `Object` are those of the host, in
//! `runtime/src/host/drm/gem/shmem/vmap_cache.rs`.

struct Object<T: DriverObject> {
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
