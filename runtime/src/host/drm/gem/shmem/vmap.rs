// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The memory of an object where the kernel has it mapped.

use super::{resv::DmaResvGuard, BaseObject, DriverObject, Object};
use crate::{
    bindings,
    error::to_result,
    io::{IoBase, Region, SysMem, SysMemBackend},
    prelude::*,
    sync::aref::ARef,
};
use core::{mem::MaybeUninit, ops::Deref};

/// A mapping of an object's memory, read and written by [`Io`](crate::io::Io). Dropping it unmaps
/// the memory, which takes the object's reservation lock and may sleep.
///
/// # Invariants
///
/// - The object is at least `SIZE` bytes large.
/// - `addr` is where its memory is mapped, until this is dropped.
pub struct VMap<D, R, const SIZE: usize = 0>
where
    D: DriverObject,
    R: Deref<Target = Object<D>>,
{
    addr: *mut c_void,
    owner: R,
}

/// A mapping that borrows the object.
pub type VMapRef<'a, D, const SIZE: usize = 0> = VMap<D, &'a Object<D>, SIZE>;

/// A mapping that holds a reference to the object.
pub type VMapOwned<D, const SIZE: usize = 0> = VMap<D, ARef<Object<D>>, SIZE>;

impl<T: DriverObject> Object<T> {
    /// Maps the object's memory into the kernel's address space, for as long as the result exists:
    /// `drm_gem_shmem_vmap_locked()`.
    ///
    /// `SIZE` bytes can be accessed at constant offsets.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if the object is smaller than `SIZE`, or `ENOMEM`.
    ///
    /// # Context
    ///
    /// Takes the object's reservation lock, and may sleep.
    #[inline]
    pub fn vmap<const SIZE: usize>(&self) -> Result<VMapRef<'_, T, SIZE>> {
        self.make_vmap()
    }

    /// As [`vmap()`](Self::vmap), with a result that holds a reference to the object.
    ///
    /// # Errors
    ///
    /// As for [`vmap()`](Self::vmap).
    #[inline]
    pub fn owned_vmap<const SIZE: usize>(&self) -> Result<VMapOwned<T, SIZE>> {
        self.make_vmap()
    }

    fn make_vmap<'a, R, const SIZE: usize>(&'a self) -> Result<VMap<T, R, SIZE>>
    where
        R: Deref<Target = Self> + From<&'a Self>,
    {
        if self.size() < SIZE {
            return Err(ENOSPC);
        }

        let mut map = MaybeUninit::<bindings::iosys_map>::uninit();
        let resv = DmaResvGuard::new(self);
        // SAFETY: The object is initialised, and the reservation lock is held.
        to_result(unsafe {
            bindings::drm_gem_shmem_vmap_locked(self.as_raw_shmem(), map.as_mut_ptr())
        })?;
        drop(resv);
        // SAFETY: The function has succeeded.
        let map = unsafe { map.assume_init() };

        if map.is_iomem {
            // SAFETY: It was mapped above, and nobody uses it.
            unsafe { self.raw_vunmap(map) };
            return Err(ENOTSUPP);
        }
        // INVARIANT: The size was checked, and the memory is mapped until this is dropped.
        Ok(VMap {
            // SAFETY: It is no I/O memory.
            addr: unsafe { map.__bindgen_anon_1.vaddr },
            owner: self.into(),
        })
    }

    /// Ends one use of the mapping.
    ///
    /// # Safety
    ///
    /// `map` comes from `drm_gem_shmem_vmap_locked()` of this object, and is not used any more.
    unsafe fn raw_vunmap(&self, mut map: bindings::iosys_map) {
        let _resv = DmaResvGuard::new(self);

        // SAFETY: The caller promises it, and the reservation lock is held.
        unsafe { bindings::drm_gem_shmem_vunmap_locked(self.as_raw_shmem(), &mut map) };
    }
}

impl<D, R, const SIZE: usize> VMap<D, R, SIZE>
where
    D: DriverObject,
    R: Deref<Target = Object<D>>,
{
    /// Returns the object.
    #[inline]
    pub fn owner(&self) -> &Object<D> {
        &self.owner
    }
}

impl<'a, D, R, const SIZE: usize> IoBase<'a> for &'a VMap<D, R, SIZE>
where
    D: DriverObject,
    R: Deref<Target = Object<D>>,
{
    type Backend = SysMemBackend;
    type Target = Region<SIZE>;

    #[inline]
    fn as_view(self) -> SysMem<'a, Region<SIZE>> {
        let ptr = Region::ptr_from_raw_parts_mut(self.addr.cast(), self.owner.size());

        // SAFETY: By the type's invariants the memory is mapped for `'a`. It is whole pages.
        unsafe { SysMem::new(ptr) }
    }
}

impl<D, R, const SIZE: usize> Drop for VMap<D, R, SIZE>
where
    D: DriverObject,
    R: Deref<Target = Object<D>>,
{
    #[inline]
    fn drop(&mut self) {
        let map = bindings::iosys_map {
            is_iomem: false,
            __bindgen_anon_1: bindings::iosys_map__bindgen_ty_1 { vaddr: self.addr },
        };

        // SAFETY: By the type's invariants it is mapped, and nobody has borrowed it any more.
        unsafe { self.owner.raw_vunmap(map) };
    }
}

// SAFETY: The memory is mapped for all threads.
unsafe impl<D, R, const SIZE: usize> Send for VMap<D, R, SIZE>
where
    D: DriverObject,
    R: Deref<Target = Object<D>> + Send,
{
}

// SAFETY: All accesses to the memory are atomic.
unsafe impl<D, R, const SIZE: usize> Sync for VMap<D, R, SIZE>
where
    D: DriverObject,
    R: Deref<Target = Object<D>> + Sync,
{
}
