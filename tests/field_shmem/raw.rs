// SPDX-License-Identifier: Apache-2.0 OR MIT

//! An object as C code sees it.

use super::{
    driver::{Buffer, Driver},
    resv::DmaResvGuard,
};
use kernel::{
    bindings, container_of,
    device::{Bound, Device},
    drm::{
        self,
        gem::{
            shmem::{Object, ObjectConfig},
            IntoGEMObject,
        },
    },
    error::to_result,
    page::PAGE_SIZE,
    prelude::*,
    sync::aref::ARef,
};

/// Pages of an object.
pub(crate) const PAGES: usize = 4;

/// The object of the library.
pub(crate) type Gem = Object<Buffer>;

/// Creates a DRM device, and an object of it.
pub(crate) fn object(dev: &Device<Bound>) -> Result<(ARef<Gem>, ARef<drm::Device<Driver>>)> {
    let drm = drm::UnregisteredDevice::<Driver>::new(dev, Ok(()))?;
    let obj = Gem::new(&drm, PAGES * PAGE_SIZE, ObjectConfig::default(), ())?;

    Ok((obj, ARef::from(&*drm)))
}

/// The shmem object in an object.
pub(crate) fn shmem(obj: &Gem) -> *mut bindings::drm_gem_shmem_object {
    // SAFETY: The GEM object in an object is the base of a shmem object.
    unsafe { container_of!(obj.as_raw(), bindings::drm_gem_shmem_object, base) }
}

/// Uses and pins of the pages.
pub(crate) fn counts(obj: &Gem) -> (i32, i32) {
    (
        // SAFETY: The object is initialised, and the field is atomic.
        unsafe { &(*shmem(obj)).pages_use_count }.read(),
        // SAFETY: The object is initialised, and the field is atomic.
        unsafe { &(*shmem(obj)).pages_pin_count }.read(),
    )
}

/// Pins the pages: `drm_gem_shmem_object_pin()`.
pub(crate) fn pin(obj: &Gem) -> Result {
    let _resv = DmaResvGuard::new(obj);
    // SAFETY: The object is initialised, and its reservation lock is held.
    to_result(unsafe { bindings::drm_gem_shmem_pin_locked(shmem(obj)) })
}

/// Ends that: `drm_gem_shmem_object_unpin()`.
pub(crate) fn unpin(obj: &Gem) {
    let _resv = DmaResvGuard::new(obj);
    // SAFETY: The object is initialised, its reservation lock is held, and it was pinned.
    unsafe { bindings::drm_gem_shmem_unpin_locked(shmem(obj)) };
}
