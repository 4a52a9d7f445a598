// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The memory of an object where the kernel has it mapped.

use super::{
    BaseObject,
    DriverObject,
    Object, //
};
use crate::{
    bindings,
    io::{
        IoBase,
        Region,
        SysMem,
        SysMemBackend, //
    },
    sync::aref::ARef,
};
use core::{
    ffi::c_void,
    ops::Deref, //
};

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
    pub(super) addr: *mut c_void,
    pub(super) owner: R,
}

/// A mapping that borrows the object.
pub type VMapRef<'a, D, const SIZE: usize = 0> = VMap<D, &'a Object<D>, SIZE>;

/// A mapping that holds a reference to the object.
pub type VMapOwned<D, const SIZE: usize = 0> = VMap<D, ARef<Object<D>>, SIZE>;

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
