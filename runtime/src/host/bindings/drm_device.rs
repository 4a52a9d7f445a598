// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `struct drm_device` and its reference count, as in `drivers/gpu/drm/drm_drv.c`.
//!
//! Uses the model's `struct device`. Registration, minors and files are not modelled.
//!
//! # Quarantine
//!
//! A `struct drm_gem_object` does not keep its DRM device alive, neither in the kernel nor here. So
//! that code which relies on it gets a report rather than whatever is at that address by then, the
//! memory of a device without references is never given back, and stays marked as freed: what
//! `KASAN` does for a while, for good. The device keeps its parent, too, so that reports can name
//! it.

use super::{
    dev_label,
    device,
    get_device,
    may_not_allocate,
    refcount_t,
    report_afterwards,
    warn,
    ERR_PTR,
    GFP_KERNEL, //
};
use crate::{
    error::code,
    fault, //
};
use core::{
    ffi::{
        c_long,
        c_void, //
    },
    fmt, ptr,
    sync::atomic::{
        AtomicBool,
        AtomicUsize,
        Ordering, //
    },
};
use std::{
    alloc::{
        alloc_zeroed,
        Layout, //
    },
    sync::{
        Mutex,
        PoisonError, //
    },
};

/// What a driver tells the DRM core: `struct drm_driver`.
#[derive(Clone, Copy, Debug, Default)]
pub struct drm_driver {
    /// Called once the last reference is gone, before the memory of the device goes.
    pub release: Option<unsafe extern "C" fn(dev: *mut drm_device)>,
}

/// One DRM device: `struct drm_device`.
pub struct drm_device {
    /// The device that it drives.
    pub dev: *mut device,
    /// Its driver.
    pub driver: *const drm_driver,
    /// References to it.
    pub ref_: refcount_t,
    /// Objects that have an mmap offset: what the model keeps of `vma_offset_manager`.
    mmap_offsets: AtomicUsize,
    freed: AtomicBool,
}

/// Names a DRM device in reports.
pub(crate) struct DrmLabel(pub(crate) *const drm_device);

impl fmt::Display for DrmLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_null() {
            return f.write_str("no DRM device");
        }

        // SAFETY: Whoever makes a label passes a device that was allocated, and those stay readable
        // for ever.
        let parent = unsafe { (*self.0).dev };
        write!(f, "DRM device {:p} of {}", self.0, dev_label(parent))
    }
}

/// Allocates `size` bytes with a DRM device in them, `offset` bytes from the start:
/// `__drm_dev_alloc()`.
///
/// The memory is aligned as `kmalloc()` aligns it, to the largest power of two that divides `size`,
/// up to a page; the rest of it is zeroed. The DRM device takes a reference to its parent, and the
/// caller owns the first one to it. Returns an error pointer without memory. May sleep.
///
/// # Safety
///
/// - `parent` points to a live device.
/// - `driver` stays valid until another one is set.
/// - A `struct drm_device` at `offset` fits into `size` bytes and is aligned.
pub unsafe fn __drm_dev_alloc(
    parent: *mut device,
    driver: *const drm_driver,
    size: usize,
    offset: usize,
) -> *mut c_void {
    let enomem = c_long::from(code::ENOMEM.to_errno());
    let align = 1 << size.trailing_zeros().clamp(4, 12);

    let memory = match Layout::from_size_align(size, align) {
        Ok(layout) if size != 0 && !may_not_allocate(GFP_KERNEL) => {
            // SAFETY: The size is not zero.
            unsafe { alloc_zeroed(layout) }
        }
        _ => ptr::null_mut(),
    };
    if memory.is_null() {
        // SAFETY: No requirements.
        return unsafe { ERR_PTR(enomem) };
    }

    // SAFETY: The parent is alive.
    unsafe { get_device(parent) };
    let drm = memory.wrapping_add(offset).cast::<drm_device>();
    // SAFETY: It fits and is aligned, by the requirement of this function.
    unsafe {
        drm.write(drm_device {
            dev: parent,
            driver,
            ref_: refcount_t::new(1),
            mmap_offsets: AtomicUsize::new(0),
            freed: AtomicBool::new(false),
        })
    };

    memory.cast()
}

/// Takes a reference: `drm_dev_get()`. A device that was freed is a loud failure.
///
/// # Safety
///
/// `dev` points to a DRM device that [`__drm_dev_alloc`] made.
#[track_caller]
pub unsafe fn drm_dev_get(dev: *mut drm_device) {
    // SAFETY: By the requirement of this function.
    if unsafe { drm_dev_check(dev, "drm_dev_get") } {
        // SAFETY: As before.
        unsafe { &(*dev).ref_ }.inc(DrmLabel(dev));
    }
}

/// Puts a reference, and releases the device with the last one: `drm_dev_put()`. May sleep.
///
/// A device that was freed is a loud failure. So is an object of the device that is left when the
/// device is freed, as `drm_mm_takedown()` warns of it. Null is ignored.
///
/// # Safety
///
/// `dev` is null or points to a DRM device that [`__drm_dev_alloc`] made, and the caller gives up a
/// reference to it.
#[track_caller]
pub unsafe fn drm_dev_put(dev: *mut drm_device) {
    if dev.is_null() {
        return;
    }

    // SAFETY: By the requirement of this function.
    if !unsafe { drm_dev_check(dev, "drm_dev_put") } {
        return;
    }
    // SAFETY: As before.
    if !unsafe { &(*dev).ref_ }.dec_and_test(DrmLabel(dev)) {
        return;
    }

    // Reported here, since a panic could not leave the callback.
    fault::might_sleep("drm_dev_put");

    // SAFETY: As before; nobody else has a reference, so that nobody changes the driver.
    let driver = unsafe { (*dev).driver };
    // SAFETY: The driver is valid while it is set.
    if let Some(release) = unsafe { (*driver).release } {
        // SAFETY: The callback gets what it was made for, once.
        report_afterwards(|| unsafe { release(dev) });
    }
    // SAFETY: As before.
    let left = unsafe { &(*dev).mmap_offsets }.load(Ordering::Relaxed);
    // SAFETY: As before.
    unsafe { quarantine(dev) };

    // `drm_gem_init_release()`, by way of `drm_managed_release()`.
    if left != 0 {
        warn(format!(
            "WARN: Memory manager not clean during takedown: {left} objects of {} are left",
            DrmLabel(dev)
        ));
    }
}

/// Adds a node for an object's mmap offset: `drm_vma_offset_add()`. A device that was freed is a
/// loud failure.
///
/// # Safety
///
/// `dev` points to a DRM device that [`__drm_dev_alloc`] made.
#[track_caller]
pub(crate) unsafe fn drm_vma_offset_add(dev: *mut drm_device, who: &str) {
    // SAFETY: By the requirement of this function.
    if unsafe { drm_dev_check(dev, who) } {
        // SAFETY: As before.
        unsafe { &(*dev).mmap_offsets }.fetch_add(1, Ordering::Relaxed);
    }
}

/// Removes that node, if there is one: `drm_vma_offset_remove()`. A device that was freed is a loud
/// failure in both cases.
///
/// # Safety
///
/// As for [`drm_vma_offset_add`].
#[track_caller]
pub(crate) unsafe fn drm_vma_offset_remove(dev: *mut drm_device, is_there: bool, who: &str) {
    // SAFETY: By the requirement of this function.
    let is_alive = unsafe { drm_dev_check(dev, who) };

    if is_there && is_alive {
        // SAFETY: As before.
        unsafe { &(*dev).mmap_offsets }.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Marks a DRM device as freed. Its memory and its reference to the parent are kept, see the module
/// documentation.
///
/// # Safety
///
/// `dev` points to a DRM device without references.
unsafe fn quarantine(dev: *mut drm_device) {
    /// Pointers to memory that stays allocated, where leak checkers find them.
    struct Freed(#[allow(dead_code, reason = "kept for leak checkers only")] *mut drm_device);

    // SAFETY: The pointer is never followed.
    unsafe impl Send for Freed {}

    static FREED: Mutex<Vec<Freed>> = Mutex::new(Vec::new());

    // SAFETY: By the requirement of this function.
    unsafe { &(*dev).freed }.store(true, Ordering::Release);
    FREED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(Freed(dev));
}

/// Whether the DRM device still has its references: `false`, and a loud failure, if it was freed.
///
/// # Safety
///
/// `dev` points to a DRM device that [`__drm_dev_alloc`] made, freed or not.
#[inline]
#[track_caller]
pub(crate) unsafe fn drm_dev_check(dev: *const drm_device, who: &str) -> bool {
    // SAFETY: Such memory stays readable for ever.
    let freed = unsafe { &(*dev).freed }.load(Ordering::Acquire);

    if freed {
        use_after_free(dev, who);
    }
    !freed
}

/// The report of [`drm_dev_check()`], kept out of fast paths that ask.
#[cold]
#[inline(never)]
#[track_caller]
fn use_after_free(dev: *const drm_device, who: &str) {
    warn(format!("BUG: use after free in {who}(): {}", DrmLabel(dev)));
}
