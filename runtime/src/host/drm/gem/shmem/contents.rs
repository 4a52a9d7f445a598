// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The bytes that a device has written to an object's memory outlive the mapping. For the host only,
//! which reclaims clean pages at once: the kernel does that when it needs memory.

use super::{
    contract_kunit::{Gem, Gpu},
    DmaResvGuard,
};
use crate::{bindings, prelude::*};

/// The first byte of an object's memory, which has pages.
fn first_byte(obj: &Gem) -> *mut u8 {
    // SAFETY: The object is initialised, and no other thread uses it.
    let pages = unsafe { (*obj.as_raw_shmem()).pages };
    // SAFETY: The caller says that there are pages.
    let page = unsafe { *pages };

    // SAFETY: The object has this page.
    unsafe { bindings::page_address(page) }.cast()
}

#[test]
fn contents_survive_unbind() -> Result {
    let mut gpu = Gpu::new()?;
    let obj = gpu.object()?;

    obj.sg_table(gpu.bound()?)?;
    // SAFETY: The page is mapped, and no other thread uses it.
    unsafe { first_byte(&obj).write(42) };
    gpu.dev.unbind();

    let shmem = obj.as_raw_shmem();
    let _resv = DmaResvGuard::new(&obj);
    // SAFETY: The object is initialised, and the lock is held.
    assert_eq!(unsafe { bindings::drm_gem_shmem_pin_locked(shmem) }, 0);
    // SAFETY: The page is pinned, and no other thread uses it.
    assert_eq!(unsafe { first_byte(&obj).read() }, 42);
    // SAFETY: The object is pinned, and the lock is held.
    unsafe { bindings::drm_gem_shmem_unpin_locked(shmem) };
    Ok(())
}
