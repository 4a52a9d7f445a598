// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `struct drm_device` and its reference count, as in `drivers/gpu/drm/drm_drv.c`.
//!
//! Uses the model's `struct device`. Registration is a flag: there are no minors and no nodes.
//!
//! # Quarantine
//!
//! A `struct drm_gem_object` does not keep its DRM device alive, neither in the kernel nor here.
//! The model never gives back the memory of a device without references, and marks it as freed.
//! Code that still uses the device then gets a report instead of whatever is at that address.
//! `KASAN` does the same for a while, the model for good. The device keeps its parent, too, so that
//! reports can name it.

use super::{
    dev_label, device, drm_file, drm_unplug_srcu, get_device, kref, may_not_allocate, refcount_t,
    report_afterwards, warn, ERR_PTR, GFP_KERNEL,
};
use crate::{error::code, fault};
use core::{
    ffi::{c_char, c_int, c_long, c_uint, c_ulong, c_void},
    fmt, ptr,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};
use std::{
    alloc::{alloc_zeroed, Layout},
    sync::{Mutex, PoisonError},
};

/// The driver uses GEM objects: `DRIVER_GEM`.
pub const drm_driver_feature_DRIVER_GEM: u32 = 1 << 0;

/// The driver has render nodes: `DRIVER_RENDER`.
pub const drm_driver_feature_DRIVER_RENDER: u32 = 1 << 3;

/// A driver's description for the DRM core: `struct drm_driver`.
#[derive(Clone, Copy, Debug)]
pub struct drm_driver {
    /// Called when a file is opened. An error refuses it.
    pub open: Option<unsafe extern "C" fn(dev: *mut drm_device, file_priv: *mut drm_file) -> c_int>,
    /// Called when a file was closed, and its handles are gone.
    pub postclose: Option<unsafe extern "C" fn(dev: *mut drm_device, file_priv: *mut drm_file)>,
    /// Called once the last reference is gone, before the memory of the device goes.
    pub release: Option<unsafe extern "C" fn(dev: *mut drm_device)>,
    /// Major version.
    pub major: c_int,
    /// Minor version.
    pub minor: c_int,
    /// Patch level.
    pub patchlevel: c_int,
    /// Name, a C string or null.
    pub name: *mut c_char,
    /// Description, a C string or null.
    pub desc: *mut c_char,
    /// The features that the driver supports: a sum of `DRIVER_*`.
    pub driver_features: u32,
    /// Its ioctls, `num_ioctls` of them.
    pub ioctls: *const drm_ioctl_desc,
    /// How many ioctls there are.
    pub num_ioctls: c_int,
}

// SAFETY: The strings and the list of ioctls never change, so any thread may own the pointers.
unsafe impl Send for drm_driver {}
// SAFETY: The strings and the list of ioctls never change, so threads may read them at once.
unsafe impl Sync for drm_driver {}

impl drm_driver {
    /// A driver without functions and names.
    pub const fn new() -> Self {
        Self {
            open: None,
            postclose: None,
            release: None,
            major: 0,
            minor: 0,
            patchlevel: 0,
            name: ptr::null_mut(),
            desc: ptr::null_mut(),
            driver_features: 0,
            ioctls: ptr::null(),
            num_ioctls: 0,
        }
    }
}

impl Default for drm_driver {
    fn default() -> Self {
        Self::new()
    }
}

/// One ioctl of a driver: `struct drm_ioctl_desc` of `include/drm/drm_ioctl.h`.
#[derive(Clone, Copy, Debug)]
pub struct drm_ioctl_desc {
    /// Its number, with direction and size of the argument.
    pub cmd: c_uint,
    /// The callers that are allowed: a sum of `DRM_*`.
    pub flags: u32,
    /// Handles it.
    pub func: Option<
        unsafe extern "C" fn(
            dev: *mut drm_device,
            data: *mut c_void,
            file_priv: *mut drm_file,
        ) -> c_int,
    >,
    /// Its name, a C string.
    pub name: *const c_char,
}

// SAFETY: The name never changes, so any thread may own the pointer.
unsafe impl Send for drm_ioctl_desc {}
// SAFETY: The name never changes, so threads may read it at once.
unsafe impl Sync for drm_ioctl_desc {}

/// One DRM device: `struct drm_device`.
pub struct drm_device {
    /// The device that it drives.
    pub dev: *mut device,
    /// Its driver.
    pub driver: *const drm_driver,
    /// References to it.
    pub ref_: kref,
    /// Objects that have an mmap offset: what the model keeps of `vma_offset_manager`.
    mmap_offsets: AtomicUsize,
    /// Whether user space can open it.
    pub registered: AtomicBool,
    /// Whether the device that it drives is gone.
    pub unplugged: AtomicBool,
    freed: AtomicBool,
}

/// Names a DRM device in reports.
pub(crate) struct DrmLabel(pub(crate) *const drm_device);

impl fmt::Display for DrmLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_null() {
            return f.write_str("no DRM device");
        }

        // SAFETY: The code that makes a label passes a device that was allocated, and its memory is
        // never freed.
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
            ref_: kref {
                refcount: refcount_t::new(1),
            },
            mmap_offsets: AtomicUsize::new(0),
            registered: AtomicBool::new(false),
            unplugged: AtomicBool::new(false),
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
    // SAFETY: The caller promises a DRM device.
    if unsafe { drm_dev_check(dev, "drm_dev_get") } {
        // SAFETY: `dev` is a DRM device, which the check has found alive.
        unsafe { &(*dev).ref_.refcount }.inc(DrmLabel(dev));
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

    // SAFETY: The caller promises a DRM device, and `dev` is not null.
    if !unsafe { drm_dev_check(dev, "drm_dev_put") } {
        return;
    }
    // SAFETY: `dev` is a DRM device, and the caller still owns a reference to it.
    if !unsafe { &(*dev).ref_.refcount }.dec_and_test(DrmLabel(dev)) {
        return;
    }

    // Reported here, since a panic could not leave the callback.
    fault::might_sleep("drm_dev_put");

    // SAFETY: `dev` is a DRM device. This was the last reference, so nobody changes the driver.
    let driver = unsafe { (*dev).driver };
    // SAFETY: The driver is valid while it is set.
    if let Some(release) = unsafe { (*driver).release } {
        // SAFETY: The callback gets what it was made for, once.
        report_afterwards(|| unsafe { release(dev) });
    }
    // SAFETY: The memory of a DRM device is never freed.
    let left = unsafe { &(*dev).mmap_offsets }.load(Ordering::Relaxed);
    // SAFETY: `dev` has no references left.
    unsafe { quarantine(dev) };

    // `drm_gem_init_release()`, by way of `drm_managed_release()`.
    if left != 0 {
        warn(format!(
            "WARN: Memory manager not clean during takedown: {left} objects of {} are left",
            DrmLabel(dev)
        ));
    }
}

/// Makes the device available to user space: `drm_dev_register()`. May sleep.
///
/// Returns 0, or `-ENOMEM`; the device is not registered then.
///
/// # Safety
///
/// `dev` points to a live DRM device.
pub unsafe fn drm_dev_register(dev: *mut drm_device, _flags: c_ulong) -> c_int {
    // The minors.
    if may_not_allocate(GFP_KERNEL) {
        return code::ENOMEM.to_errno();
    }

    // SAFETY: The caller promises a live DRM device.
    unsafe { &(*dev).registered }.store(true, Ordering::Release);
    0
}

/// Marks the device as gone, waits for everybody between [`drm_dev_enter`] and [`drm_dev_exit`],
/// and takes it from user space: `drm_dev_unplug()`. May sleep.
///
/// # Panics
///
/// If the thread is between these two itself: it would wait for itself.
///
/// # Safety
///
/// `dev` points to a live DRM device.
#[track_caller]
pub unsafe fn drm_dev_unplug(dev: *mut drm_device) {
    // SAFETY: The caller promises a live DRM device.
    unsafe { &(*dev).unplugged }.store(true, Ordering::SeqCst);
    drm_unplug_srcu::synchronize();

    // SAFETY: The caller promises a live DRM device.
    unsafe { &(*dev).registered }.store(false, Ordering::Release);
}

/// Begins a section that [`drm_dev_unplug`] waits for, unless the device is gone:
/// `drm_dev_enter()`.
///
/// Returns whether it has begun. It ends with [`drm_dev_exit`] of the same `idx`, on the same
/// thread, and may sleep.
///
/// # Safety
///
/// `dev` points to a live DRM device, and `idx` is valid for writing.
pub unsafe fn drm_dev_enter(dev: *mut drm_device, idx: *mut c_int) -> bool {
    let entered = drm_unplug_srcu::read_lock();

    // SAFETY: The caller promises a live DRM device.
    if unsafe { &(*dev).unplugged }.load(Ordering::SeqCst) {
        drm_unplug_srcu::read_unlock(entered);
        return false;
    }

    // SAFETY: The caller promises that `idx` is valid for writing.
    unsafe { idx.write(entered) };
    true
}

/// Ends a section that [`drm_dev_enter`] has begun: `drm_dev_exit()`.
///
/// # Panics
///
/// If the thread is in no section of this `idx`.
///
/// # Safety
///
/// `idx` comes from [`drm_dev_enter`], and this is the only call for it.
#[track_caller]
pub unsafe fn drm_dev_exit(idx: c_int) {
    drm_unplug_srcu::read_unlock(idx);
}

/// Adds a node for an object's mmap offset: `drm_vma_offset_add()`. A device that was freed is a
/// loud failure.
///
/// # Safety
///
/// `dev` points to a DRM device that [`__drm_dev_alloc`] made.
#[track_caller]
pub(crate) unsafe fn drm_vma_offset_add(dev: *mut drm_device, who: &str) {
    // SAFETY: The caller promises a DRM device.
    if unsafe { drm_dev_check(dev, who) } {
        // SAFETY: `dev` is a DRM device, whose memory is never freed.
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
    // SAFETY: The caller promises a DRM device.
    let is_alive = unsafe { drm_dev_check(dev, who) };

    if is_there && is_alive {
        // SAFETY: `dev` is a DRM device, whose memory is never freed.
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

    // SAFETY: The caller promises a DRM device, whose memory is never freed.
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
