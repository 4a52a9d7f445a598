// SPDX-License-Identifier: Apache-2.0 OR MIT

//! How the kernel mapping that is kept is made and ended. The items below the imports are those of
//! the kernel: `cargo xtask kernel apply` adds them to `rust/kernel/drm/gem/shmem.rs`.

// `cast()` is for sized types.
#![allow(clippy::ptr_as_ptr)]

use super::{
    vmap::{
        VMap,
        VMapRef, //
    },
    BaseObject,
    DriverObject,
    IntoGEMObject,
    Object, //
};
use crate::{
    device,
    device::Bound,
    devres::Map,
    io::{
        IoBase,
        Region,
        SysMem,
        SysMemBackend, //
    },
    prelude::*,
};
use core::{
    cell::UnsafeCell,
    ptr::NonNull, //
};

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
    /// two until it is released, and with `parent_resv_obj` the third.
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
