// SPDX-License-Identifier: Apache-2.0 OR MIT

//! GEM objects, as in `include/drm/drm_gem.h` and `drivers/gpu/drm/drm_gem.c`.
//!
//! Uses pages, reservation locks and DRM devices of the model. Handles and LRUs are not modelled.
//! Of an mmap offset the model knows that the DRM device has a node for it.

use super::{
    dma_buf_attachment, dma_resv, dma_resv_fini, drm_device, drm_file, drm_vma_offset_add,
    drm_vma_offset_remove, file, iosys_map, page, refcount_t, report_afterwards, sg_table, warn,
    DrmLabel, ERR_PTR, PAGE_SIZE,
};
use crate::{error::code, fault};
use core::{
    ffi::{c_int, c_long},
    fmt,
    marker::PhantomData,
    mem, ptr,
};

/// A reference count: `struct kref`.
#[derive(Debug, Default)]
pub struct kref {
    /// The count.
    pub refcount: refcount_t,
}

/// The functions of a GEM object: `struct drm_gem_object_funcs`.
#[derive(Clone, Copy, Debug, Default)]
pub struct drm_gem_object_funcs {
    /// Frees the object, once its last reference is gone. Must be there.
    pub free: Option<unsafe extern "C" fn(obj: *mut drm_gem_object)>,
    /// Called when a file gets a handle of the object. An error refuses it.
    pub open: Option<unsafe extern "C" fn(obj: *mut drm_gem_object, file: *mut drm_file) -> c_int>,
    /// Called when a file has lost a handle of the object.
    pub close: Option<unsafe extern "C" fn(obj: *mut drm_gem_object, file: *mut drm_file)>,
    /// Keeps the memory of the object where it is, for an importer. Called with the reservation
    /// lock held.
    pub pin: Option<unsafe extern "C" fn(obj: *mut drm_gem_object) -> c_int>,
    /// Undoes [`pin`](Self::pin).
    pub unpin: Option<unsafe extern "C" fn(obj: *mut drm_gem_object)>,
    /// Makes a table of the object's pages, which are pinned, for an importer.
    pub get_sg_table: Option<unsafe extern "C" fn(obj: *mut drm_gem_object) -> *mut sg_table>,
    /// Maps the memory of the object into kernel address space. Called with the reservation lock
    /// held.
    pub vmap: Option<unsafe extern "C" fn(obj: *mut drm_gem_object, map: *mut iosys_map) -> c_int>,
    /// Undoes [`vmap`](Self::vmap).
    pub vunmap: Option<unsafe extern "C" fn(obj: *mut drm_gem_object, map: *mut iosys_map)>,
}

impl drm_gem_object_funcs {
    /// An object that can do nothing.
    pub const fn new() -> Self {
        Self {
            free: None,
            open: None,
            close: None,
            pin: None,
            unpin: None,
            get_sg_table: None,
            vmap: None,
            vunmap: None,
        }
    }
}

/// The base of every GEM object: `struct drm_gem_object`.
///
/// All zeroes is what the functions that initialise one expect; [`Default`] gives the same.
#[derive(Debug)]
pub struct drm_gem_object {
    /// References to it.
    pub refcount: kref,
    /// The device that it belongs to. **Not** a reference to it.
    pub dev: *mut drm_device,
    /// The file with its contents; null for objects that get them from elsewhere.
    pub filp: *mut file,
    /// Bytes, a multiple of [`PAGE_SIZE`].
    pub size: usize,
    /// How it came here, if another driver made it.
    pub import_attach: *mut dma_buf_attachment,
    /// The reservation object in use: [`_resv`](Self::_resv), unless set before or after the
    /// initialisation.
    pub resv: *mut dma_resv,
    /// Its own reservation object.
    pub _resv: dma_resv,
    /// Its functions.
    pub funcs: *const drm_gem_object_funcs,
    /// Whether it has an mmap offset, which is a node of a tree of its device: what the model keeps
    /// of `vma_node`.
    pub has_mmap_offset: bool,
}

impl Default for drm_gem_object {
    fn default() -> Self {
        Self {
            refcount: kref::default(),
            dev: ptr::null_mut(),
            filp: ptr::null_mut(),
            size: 0,
            import_attach: ptr::null_mut(),
            resv: ptr::null_mut(),
            _resv: dma_resv::new(),
            funcs: ptr::null(),
            has_mmap_offset: false,
        }
    }
}

/// A GEM object during the call of a C function, and what it is called in reports.
///
/// # Invariants
///
/// `ptr` points to a [`drm_gem_object`] that lives as long as `'a`. Its plain fields are not
/// written to meanwhile, other than through this.
#[derive(Clone, Copy)]
pub(crate) struct Gem<'a> {
    ptr: *mut drm_gem_object,
    _lives: PhantomData<&'a ()>,
}

impl<'a> Gem<'a> {
    /// # Safety
    ///
    /// As the type's invariants say.
    pub(crate) unsafe fn new(ptr: *mut drm_gem_object) -> Self {
        // INVARIANT: By the requirement of this function.
        Self {
            ptr,
            _lives: PhantomData,
        }
    }

    pub(crate) fn as_ptr(self) -> *mut drm_gem_object {
        self.ptr
    }

    pub(crate) fn dev(self) -> *mut drm_device {
        // SAFETY: By the type's invariants.
        unsafe { (*self.ptr).dev }
    }

    pub(crate) fn resv(self) -> *mut dma_resv {
        // SAFETY: By the type's invariants.
        unsafe { (*self.ptr).resv }
    }

    pub(crate) fn size(self) -> usize {
        // SAFETY: By the type's invariants.
        unsafe { (*self.ptr).size }
    }

    pub(crate) fn filp(self) -> *mut file {
        // SAFETY: By the type's invariants.
        unsafe { (*self.ptr).filp }
    }

    fn refcount(self) -> &'a refcount_t {
        // SAFETY: By the type's invariants; the field is atomic.
        unsafe { &(*self.ptr).refcount.refcount }
    }

    pub(crate) fn funcs(self) -> *const drm_gem_object_funcs {
        // SAFETY: By the type's invariants.
        unsafe { (*self.ptr).funcs }
    }

    /// `drm_gem_is_imported()`.
    pub(crate) fn import_attach(self) -> Option<&'a dma_buf_attachment> {
        // SAFETY: By the type's invariants.
        let attach = unsafe { (*self.ptr).import_attach };
        // SAFETY: An attachment outlives the objects that were imported through it.
        unsafe { attach.as_ref() }
    }
}

impl fmt::Display for Gem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GEM object {:p} of {}", self.ptr, DrmLabel(self.dev()))
    }
}

/// Makes a GEM object with a file behind it: `drm_gem_object_init()`.
///
/// Returns 0, or `-ENOMEM`; [`drm_gem_private_object_fini`] cleans up then. The caller owns the
/// first reference. A size that is not a multiple of [`PAGE_SIZE`] is a bug in the caller, and ends
/// it.
///
/// # Safety
///
/// - `dev` points to a DRM device; the object does not keep it alive.
/// - `obj` points to an object that is zeroed, except for `funcs` and `resv`, and that nobody else
///   uses.
#[track_caller]
pub unsafe fn drm_gem_object_init(
    dev: *mut drm_device,
    obj: *mut drm_gem_object,
    size: usize,
) -> c_int {
    // SAFETY: The same requirements.
    unsafe { drm_gem_private_object_init(dev, obj, size) };

    let filp = file::new(size);
    if filp.is_null() {
        return code::ENOMEM.to_errno();
    }
    // SAFETY: Nobody else uses the object.
    unsafe { (*obj).filp = filp.cast_mut() };
    0
}

/// Makes a GEM object without anything behind it: `drm_gem_private_object_init()`.
///
/// # Safety
///
/// As for [`drm_gem_object_init`].
#[track_caller]
pub unsafe fn drm_gem_private_object_init(
    dev: *mut drm_device,
    obj: *mut drm_gem_object,
    size: usize,
) {
    assert_eq!(
        size % PAGE_SIZE,
        0,
        "BUG: the size of a GEM object is a multiple of the page size"
    );

    // SAFETY: Nobody else uses the object.
    let funcs = unsafe { (*obj).funcs };
    // SAFETY: `obj` points to an object that nobody else uses.
    let resv = unsafe { (*obj).resv };
    let resv = if resv.is_null() {
        // SAFETY: `obj` points to an object.
        unsafe { &raw mut (*obj)._resv }
    } else {
        resv
    };

    // SAFETY: Nobody else uses the object, and nothing in it needs dropping.
    unsafe {
        obj.write(drm_gem_object {
            refcount: kref {
                refcount: refcount_t::new(1),
            },
            dev,
            size,
            resv,
            funcs,
            ..drm_gem_object::default()
        })
    };
}

/// Undoes [`drm_gem_private_object_init`]: `drm_gem_private_object_fini()`. A locked reservation is
/// a loud failure.
///
/// # Safety
///
/// `obj` points to an initialised object that nobody else uses.
#[track_caller]
pub unsafe fn drm_gem_private_object_fini(obj: *mut drm_gem_object) {
    // SAFETY: The caller promises an initialised object that nobody else uses.
    let gem = unsafe { Gem::new(obj) };
    // SAFETY: `obj` points to an object.
    let resv = unsafe { &raw mut (*obj)._resv };
    // SAFETY: Initialised along with the object.
    unsafe { dma_resv_fini(resv, gem) };
}

/// Gives an object an mmap offset: `drm_gem_create_mmap_offset()`. Returns 0, as the model never runs
/// out of offsets.
///
/// # Safety
///
/// `obj` points to an initialised object that nobody else uses.
#[track_caller]
pub unsafe fn drm_gem_create_mmap_offset(obj: *mut drm_gem_object) -> c_int {
    // SAFETY: The caller promises that `obj` is initialised.
    let dev = unsafe { (*obj).dev };
    // SAFETY: Nobody else uses the object, so nobody reads the flag.
    unsafe { (*obj).has_mmap_offset = true };
    // SAFETY: `dev` was a DRM device when the object was initialised.
    unsafe { drm_vma_offset_add(dev, "drm_gem_create_mmap_offset") };
    0
}

/// Takes the mmap offset from an object, if it has one: `drm_gem_free_mmap_offset()`.
///
/// Reads `obj->dev->vma_offset_manager` in any case. A DRM device that was freed is a loud failure.
///
/// # Safety
///
/// As for [`drm_gem_create_mmap_offset`].
#[track_caller]
pub(crate) unsafe fn drm_gem_free_mmap_offset(obj: *mut drm_gem_object, who: &str) {
    // SAFETY: The caller promises that `obj` is initialised.
    let dev = unsafe { (*obj).dev };
    // SAFETY: Nobody else uses the object, so this is the only reference to the flag.
    let had_offset = mem::take(unsafe { &mut (*obj).has_mmap_offset });
    // SAFETY: `dev` was a DRM device when the object was initialised.
    unsafe { drm_vma_offset_remove(dev, had_offset, who) };
}

/// Undoes [`drm_gem_object_init`]: `drm_gem_object_release()`. The memory of the object itself is
/// the caller's.
///
/// Reads the DRM device. One that was freed is a loud failure.
///
/// # Safety
///
/// `obj` points to an initialised object that nobody else uses.
#[track_caller]
pub unsafe fn drm_gem_object_release(obj: *mut drm_gem_object) {
    report_afterwards(|| {
        // SAFETY: The caller promises that `obj` is initialised.
        let filp = unsafe { (*obj).filp };
        if !filp.is_null() {
            // SAFETY: Nobody else uses the object. A second call must not find the file.
            unsafe { (*obj).filp = ptr::null_mut() };
            // SAFETY: `drm_gem_object_init()` made it, and this was the only pointer.
            unsafe { file::put(filp) };
        }

        // SAFETY: The same requirements.
        unsafe { drm_gem_private_object_fini(obj) };
        // SAFETY: The same requirements.
        unsafe { drm_gem_free_mmap_offset(obj, "drm_gem_object_release") };
    });
}

/// Takes a reference: `drm_gem_object_get()`. An object without references is a loud failure.
///
/// # Safety
///
/// `obj` points to an initialised object.
#[inline]
#[track_caller]
pub unsafe fn drm_gem_object_get(obj: *mut drm_gem_object) {
    // SAFETY: The caller promises an initialised object.
    let gem = unsafe { Gem::new(obj) };
    gem.refcount().inc(gem);
}

/// Puts a reference, and frees the object with the last one: `drm_gem_object_put()`.
///
/// A failure in the object's `free` callback is reported when the callback has returned. Null is
/// ignored. May sleep, if the reference is the last one.
///
/// # Safety
///
/// `obj` is null or points to an initialised object, and the caller gives up a reference to it.
#[inline]
#[track_caller]
pub unsafe fn drm_gem_object_put(obj: *mut drm_gem_object) {
    if obj.is_null() {
        return;
    }

    // SAFETY: The caller promises an initialised object, of which it owns a reference.
    let gem = unsafe { Gem::new(obj) };
    if gem.refcount().dec_and_test(gem) {
        // SAFETY: That was the last reference.
        unsafe { drm_gem_object_free(gem) };
    }
}

/// `drm_gem_object_free()`.
///
/// # Safety
///
/// `gem` has no references left.
#[cold]
#[track_caller]
unsafe fn drm_gem_object_free(gem: Gem<'_>) {
    // Reported here, since a panic could not leave the callback.
    fault::might_sleep("drm_gem_object_free");

    // SAFETY: Functions outlive the objects that use them.
    let free = unsafe { gem.funcs().as_ref() }.and_then(|funcs| funcs.free);

    match free {
        // SAFETY: The callback gets the object that it was set for, once.
        Some(free) => report_afterwards(|| unsafe { free(gem.as_ptr()) }),
        None => warn(format!("WARN_ON(!obj->funcs->free): {gem} is leaked")),
    }
}

/// Lists the pages of an object, and takes a use of each: `drm_gem_get_pages()`. Returns an error
/// pointer on failure.
///
/// # Safety
///
/// During the call, no other code gets or puts pages of the object.
#[track_caller]
pub(crate) unsafe fn drm_gem_get_pages(gem: Gem<'_>) -> *mut *mut page {
    let error = |errno: c_int| {
        // SAFETY: No requirements.
        unsafe { ERR_PTR(c_long::from(errno)) }.cast()
    };

    if gem.filp().is_null() {
        warn(format!("WARN_ON(!obj->filp): {gem}"));
        return error(code::EINVAL.to_errno());
    }

    // SAFETY: The object has not put its file.
    unsafe { file::read_pages(gem.filp()) }.unwrap_or_else(error)
}

/// Undoes [`drm_gem_get_pages`]: `drm_gem_put_pages()`. Clean pages lose their contents, once nobody
/// else uses them.
///
/// # Safety
///
/// `pages` comes from [`drm_gem_get_pages`] and is not used after this.
pub(crate) unsafe fn drm_gem_put_pages(gem: Gem<'_>, pages: *mut *mut page, is_dirty: bool) {
    // SAFETY: By the requirement of this function; pages come from the object's file.
    unsafe { file::put_pages(gem.filp(), pages, is_dirty) };
}
