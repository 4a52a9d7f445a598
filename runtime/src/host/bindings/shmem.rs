// SPDX-License-Identifier: Apache-2.0 OR MIT

//! GEM objects in shared memory, as in `drivers/gpu/drm/drm_gem_shmem_helper.c` of Linux 7.3.4.
//!
//! Uses the other parts of the C model. Counts and locks are those of that file, the unbalanced
//! ones included:
//!
//! - `pages_use_count`: taken by making the table and by the first pin; put by
//!   [`drm_gem_shmem_put_pages_locked`], which the last unpin calls, and the release once, if there
//!   are pages then.
//! - `pages_pin_count`: taken by [`drm_gem_shmem_pin_locked`] and the first vmap; put by
//!   [`drm_gem_shmem_unpin_locked`] and the last vunmap.
//! - `vmap_use_count`: taken by [`drm_gem_shmem_vmap_locked`]; put by
//!   [`drm_gem_shmem_vunmap_locked`].
//!
//! So **freeing the table does not put the pages**: code that makes it again holds them twice, and
//! only one use is put at release. Left out are `mmap()`, and how a CPU caches the pages.
//!
//! # Whose table it is
//!
//! C code keeps one table in an object and does not know whose it is. A Rust mapping that lends the
//! table relies on nobody else to free it. The model therefore reports
//!
//! - a table that [`drm_gem_shmem_purge_locked`] has freed, when it is used through a reference
//!   that a mapping has lent, and when the mapping ends;
//! - an object that [`drm_gem_shmem_release`] has released, when any function here is called for
//!   it: a mapping that ends after that.

use super::{
    dma_buf_attachment, dma_buf_vmap, dma_buf_vunmap, dma_data_direction, dma_map_sgtable,
    dma_max_mapping_size, dma_resv_assert_held, dma_resv_lock, dma_resv_lock_interruptible,
    dma_resv_unlock, dma_unmap_sgtable, drm_dev_check, drm_device, drm_gem_create_mmap_offset,
    drm_gem_free_mmap_offset, drm_gem_get_pages, drm_gem_object, drm_gem_object_funcs,
    drm_gem_object_init, drm_gem_object_release, drm_gem_private_object_fini,
    drm_gem_private_object_init, drm_gem_put_pages, drm_prime_gem_destroy, file, kfree_obj,
    kmalloc_obj, page, refcount_t, report_afterwards, sg_alloc_table_from_pages_segment,
    sg_free_table, sg_quarantine_table, sg_table, vmap, warn, Gem, ERR_PTR, GFP_KERNEL, IS_ERR,
    PAGE_SHIFT, PTR_ERR,
};
use crate::error::code;
use core::{
    ffi::{c_int, c_long, c_uint, c_ulong, c_void},
    mem::offset_of,
    ptr,
};

/// A mapping in kernel address space: `struct iosys_map` of `include/linux/iosys-map.h`.
#[derive(Clone, Copy)]
pub struct iosys_map {
    /// Where it is.
    pub __bindgen_anon_1: iosys_map__bindgen_ty_1,
    /// Whether it is I/O memory, which it never is here.
    pub is_iomem: bool,
}

/// The address in a [`struct iosys_map`](iosys_map).
#[derive(Clone, Copy)]
pub union iosys_map__bindgen_ty_1 {
    /// Of I/O memory.
    pub vaddr_iomem: *mut c_void,
    /// Of system memory.
    pub vaddr: *mut c_void,
}

impl iosys_map {
    /// `iosys_map_set_vaddr()`.
    pub(crate) const fn new(vaddr: *mut c_void) -> Self {
        Self {
            __bindgen_anon_1: iosys_map__bindgen_ty_1 { vaddr },
            is_iomem: false,
        }
    }

    /// The address, which is that of system memory in this model.
    pub(crate) fn vaddr(&self) -> *mut c_void {
        // SAFETY: Both fields are a pointer.
        unsafe { self.__bindgen_anon_1.vaddr }
    }
}

/// A GEM object in shared memory: `struct drm_gem_shmem_object`.
///
/// Everything but the counts is protected by the reservation lock. All zeroes is what
/// [`drm_gem_shmem_init`] expects; [`Default`] gives the same.
#[derive(Debug)]
#[repr(C)]
pub struct drm_gem_shmem_object {
    /// The part that all GEM objects have in common.
    pub base: drm_gem_object,
    /// Its pages, while `pages_use_count` is not zero.
    pub pages: *mut *mut page,
    /// Users of the list of pages.
    pub pages_use_count: refcount_t,
    /// Users of the pages who need them to stay where they are.
    pub pages_pin_count: refcount_t,
    /// The user's advice: 0 keeps the pages, more lets them be purged, less says that they were.
    pub madv: c_int,
    /// The table, mapped for the device; of an imported object the exporter's.
    pub sgt: *mut sg_table,
    /// Where the pages are mapped, while `vmap_use_count` is not zero.
    pub vaddr: *mut c_void,
    /// Users of that mapping.
    pub vmap_use_count: refcount_t,
    /// Whether the last use marks the pages dirty when it puts them. A bit field in C: see
    /// [`set_pages_mark_dirty_on_put_raw`](Self::set_pages_mark_dirty_on_put_raw).
    pub pages_mark_dirty_on_put: bool,
    /// Whether mappings combine writes. A bit field in C: see [`set_map_wc`](Self::set_map_wc).
    pub map_wc: bool,
    /// Whether it was released. Has no counterpart in C.
    released: bool,
}

impl Default for drm_gem_shmem_object {
    fn default() -> Self {
        Self {
            base: drm_gem_object::default(),
            pages: ptr::null_mut(),
            pages_use_count: refcount_t::new(0),
            pages_pin_count: refcount_t::new(0),
            madv: 0,
            sgt: ptr::null_mut(),
            vaddr: ptr::null_mut(),
            vmap_use_count: refcount_t::new(0),
            pages_mark_dirty_on_put: false,
            map_wc: false,
            released: false,
        }
    }
}

impl drm_gem_shmem_object {
    /// Sets `pages_mark_dirty_on_put`, as `bindgen` does it for a bit field.
    ///
    /// # Safety
    ///
    /// `this` points to an object, whose reservation lock this thread holds.
    pub unsafe fn set_pages_mark_dirty_on_put_raw(this: *mut Self, is_dirty: bool) {
        // SAFETY: The caller promises an object, and holds the lock that protects the field.
        unsafe { (*this).pages_mark_dirty_on_put = is_dirty };
    }

    /// Sets `map_wc`, as `bindgen` does it for a bit field.
    pub fn set_map_wc(&mut self, map_wc: bool) {
        self.map_wc = map_wc;
    }

    /// `map_wc`, as `bindgen` reads a bit field.
    pub fn map_wc(&self) -> bool {
        self.map_wc
    }
}

/// The functions of objects that have none of their own.
static drm_gem_shmem_funcs: drm_gem_object_funcs = drm_gem_object_funcs {
    free: Some(drm_gem_shmem_object_free),
    pin: Some(drm_gem_shmem_object_pin),
    unpin: Some(drm_gem_shmem_object_unpin),
    get_sg_table: Some(drm_gem_shmem_object_get_sg_table),
    vmap: Some(drm_gem_shmem_object_vmap),
    vunmap: Some(drm_gem_shmem_object_vunmap),
    ..drm_gem_object_funcs::new()
};

/// A shmem object during the call of a C function.
///
/// # Invariants
///
/// - `gem` is the base of a [`drm_gem_shmem_object`], and `ptr` points to all of that.
/// - This thread may write to its plain fields: it holds the reservation lock, or has the object
///   for itself.
#[derive(Clone, Copy)]
struct Shmem<'a> {
    ptr: *mut drm_gem_shmem_object,
    gem: Gem<'a>,
}

impl<'a> Shmem<'a> {
    /// # Safety
    ///
    /// As the type's invariants and those of [`Gem`] say.
    unsafe fn new(ptr: *mut drm_gem_shmem_object) -> Self {
        // SAFETY: The caller promises that `ptr` points to a shmem object.
        let base = unsafe { &raw mut (*ptr).base };

        // INVARIANT: By the requirement of this function.
        Self {
            ptr,
            // SAFETY: `base` is part of the object, for which the caller promises the invariants of
            // `Gem`.
            gem: unsafe { Gem::new(base) },
        }
    }

    /// Like [`new`](Self::new), for the functions that rely on their caller's reservation lock:
    /// reports if `who` does not have it, and an object that was released.
    ///
    /// # Safety
    ///
    /// As for [`new`](Self::new), where the lock is not needed for this call to be made.
    #[track_caller]
    unsafe fn new_locked(ptr: *mut drm_gem_shmem_object, who: &str) -> Self {
        // SAFETY: The caller promises the invariants of `Shmem`, except for the lock, which is
        // checked here.
        let shmem = unsafe { Self::new(ptr) };
        // SAFETY: `resv` is valid as long as the object is initialised.
        unsafe { dma_resv_assert_held(shmem.gem.resv(), format_args!("{who}(): {}", shmem.gem)) };
        shmem.check_released(who);
        shmem
    }

    /// Reports an object that was released.
    #[track_caller]
    fn check_released(self, who: &str) {
        // SAFETY: By the type's invariants.
        if unsafe { (*self.ptr).released } {
            warn(format!(
                "BUG: use after free in {who}(): {} was released",
                self.gem
            ));
        }
    }

    fn madv(self) -> c_int {
        // SAFETY: By the type's invariants.
        unsafe { (*self.ptr).madv }
    }

    fn set_madv(self, madv: c_int) {
        // SAFETY: By the type's invariants.
        unsafe { (*self.ptr).madv = madv };
    }

    fn pages(self) -> *mut *mut page {
        // SAFETY: By the type's invariants.
        unsafe { (*self.ptr).pages }
    }

    fn set_pages(self, pages: *mut *mut page) {
        // SAFETY: By the type's invariants.
        unsafe { (*self.ptr).pages = pages };
    }

    fn sgt(self) -> *mut sg_table {
        // SAFETY: By the type's invariants.
        unsafe { (*self.ptr).sgt }
    }

    fn set_sgt(self, sgt: *mut sg_table) {
        // SAFETY: By the type's invariants.
        unsafe { (*self.ptr).sgt = sgt };
    }

    fn vaddr(self) -> *mut c_void {
        // SAFETY: By the type's invariants.
        unsafe { (*self.ptr).vaddr }
    }

    fn set_vaddr(self, vaddr: *mut c_void) {
        // SAFETY: By the type's invariants.
        unsafe { (*self.ptr).vaddr = vaddr };
    }

    fn pages_use_count(self) -> &'a refcount_t {
        // SAFETY: By the type's invariants; the field is atomic.
        unsafe { &(*self.ptr).pages_use_count }
    }

    fn pages_pin_count(self) -> &'a refcount_t {
        // SAFETY: By the type's invariants; the field is atomic.
        unsafe { &(*self.ptr).pages_pin_count }
    }

    fn vmap_use_count(self) -> &'a refcount_t {
        // SAFETY: By the type's invariants; the field is atomic.
        unsafe { &(*self.ptr).vmap_use_count }
    }

    fn npages(self) -> usize {
        self.gem.size() >> PAGE_SHIFT
    }

    /// `drm_WARN_ON(obj->dev, condition)`.
    #[track_caller]
    fn warn_on(self, condition: bool, text: &str) {
        if condition {
            warn(format!("drm_WARN_ON({text}): {}", self.gem));
        }
    }

    /// `drm_WARN_ON(obj->dev, refcount_read(&shmem->name))`.
    #[track_caller]
    fn warn_on_count(self, count: &refcount_t, name: &str) {
        let count = count.read();
        self.warn_on(count != 0, &format!("{name} is {count}"));
    }

    fn locked<R>(self, f: impl FnOnce() -> R) -> R {
        // SAFETY: `resv` is valid as long as the object is initialised.
        unsafe { dma_resv_lock(self.gem.resv(), ptr::null_mut()) };
        let result = f();
        // SAFETY: `resv` is valid as long as the object is initialised, and this thread has locked
        // it.
        unsafe { dma_resv_unlock(self.gem.resv()) };
        result
    }
}

/// An error pointer of any type.
fn err_ptr<T>(errno: c_int) -> *mut T {
    // SAFETY: No requirements.
    unsafe { ERR_PTR(c_long::from(errno)) }.cast()
}

/// The error in an error pointer.
fn ptr_err<T>(ptr: *const T) -> Option<c_int> {
    // SAFETY: No requirements.
    let is_err = unsafe { IS_ERR(ptr.cast()) };
    // SAFETY: No requirements. The value is small, as it is an error number.
    is_err.then(|| unsafe { PTR_ERR(ptr.cast()) } as c_int)
}

/// `__drm_gem_shmem_init()`.
///
/// # Safety
///
/// As for [`drm_gem_shmem_init`].
#[track_caller]
unsafe fn __drm_gem_shmem_init(
    dev: *mut drm_device,
    shmem: *mut drm_gem_shmem_object,
    size: usize,
    private: bool,
) -> c_int {
    // SAFETY: The caller promises that `shmem` points to an object.
    let obj = unsafe { &raw mut (*shmem).base };

    // SAFETY: `obj` is part of an object that nobody else uses, as the caller promises.
    if unsafe { (*obj).funcs }.is_null() {
        // SAFETY: Nobody else uses the object, so this thread may write to it.
        unsafe { (*obj).funcs = &raw const drm_gem_shmem_funcs };
    }

    if private {
        // SAFETY: The requirements are the same.
        unsafe { drm_gem_private_object_init(dev, obj, size) };
        // SAFETY: The caller promises that nobody else uses the object.
        unsafe { (*shmem).map_wc = false };
    } else {
        // SAFETY: The requirements are the same.
        let ret = unsafe { drm_gem_object_init(dev, obj, size) };
        if ret != 0 {
            // SAFETY: Initialised as far as this takes back.
            unsafe { drm_gem_private_object_fini(obj) };
            return ret;
        }
    }

    // SAFETY: Initialised above, and nobody else uses it.
    unsafe { drm_gem_create_mmap_offset(obj) }
}

/// Initialises a shmem object of `size` bytes in memory of the caller's: `drm_gem_shmem_init()`.
///
/// Returns 0, and the caller owns the first reference; or `-ENOMEM`, and there is nothing to clean
/// up. A size that is not a multiple of [`PAGE_SIZE`](super::PAGE_SIZE) is a bug in the caller, and
/// ends it. May sleep.
///
/// # Safety
///
/// - `dev` points to a DRM device; the object does not keep it alive.
/// - `shmem` points to an object that is zeroed, except for `base.funcs` and `base.resv`, and that
///   nobody else uses.
#[track_caller]
pub unsafe fn drm_gem_shmem_init(
    dev: *mut drm_device,
    shmem: *mut drm_gem_shmem_object,
    size: usize,
) -> c_int {
    // SAFETY: The same requirements.
    unsafe { __drm_gem_shmem_init(dev, shmem, size, false) }
}

/// `__drm_gem_shmem_create()`, for a driver without `gem_create_object`.
///
/// # Safety
///
/// As for [`drm_gem_shmem_create`].
#[track_caller]
unsafe fn __drm_gem_shmem_create(
    dev: *mut drm_device,
    size: usize,
    private: bool,
) -> *mut drm_gem_shmem_object {
    let Some(size) = crate::page::page_align(size) else {
        return err_ptr(code::ENOMEM.to_errno());
    };
    let shmem = kmalloc_obj(drm_gem_shmem_object::default(), GFP_KERNEL);
    if shmem.is_null() {
        return err_ptr(code::ENOMEM.to_errno());
    }

    // SAFETY: The object is new; the rest is the same requirement.
    let ret = unsafe { __drm_gem_shmem_init(dev, shmem, size, private) };
    if ret != 0 {
        // SAFETY: Allocated above.
        unsafe { kfree_obj(shmem) };
        return err_ptr(ret);
    }
    shmem
}

/// Makes a shmem object of `size` bytes, rounded up to whole pages: `drm_gem_shmem_create()`.
///
/// Returns an error pointer on failure, otherwise an object whose first reference the caller owns.
/// May sleep.
///
/// # Safety
///
/// `dev` points to a DRM device; the object does not keep it alive.
#[track_caller]
pub unsafe fn drm_gem_shmem_create(dev: *mut drm_device, size: usize) -> *mut drm_gem_shmem_object {
    // SAFETY: The caller promises a DRM device.
    unsafe { __drm_gem_shmem_create(dev, size, false) }
}

/// Makes an object for the table of another driver's buffer:
/// `drm_gem_shmem_prime_import_sg_table()`.
///
/// As in `drm_gem_prime_import_dev()` of `drm_prime.c`, the caller sets `import_attach` afterwards.
/// Returns an error pointer on failure.
///
/// # Safety
///
/// - `dev` points to a DRM device; the object does not keep it alive.
/// - `attach` and `sgt` outlive the object.
#[track_caller]
pub unsafe fn drm_gem_shmem_prime_import_sg_table(
    dev: *mut drm_device,
    attach: *mut dma_buf_attachment,
    sgt: *mut sg_table,
) -> *mut drm_gem_object {
    // SAFETY: The caller promises that `attach` outlives the object.
    let buf = unsafe { (*attach).dmabuf };
    // SAFETY: An attachment is to a live buffer.
    let size = unsafe { (*buf).size };

    // SAFETY: The caller promises a DRM device.
    let shmem = unsafe { __drm_gem_shmem_create(dev, size, true) };
    if ptr_err(shmem).is_some() {
        return shmem.cast();
    }

    // SAFETY: The object is new.
    unsafe { (*shmem).sgt = sgt };
    // SAFETY: The object is new, and alive.
    unsafe { &raw mut (*shmem).base }
}

/// Unmaps and frees the table of an object: `__drm_gem_shmem_free_sgt_locked()`. **The pages stay
/// in use.**
///
/// Loud failures: the reservation lock is not held; the object was released; the DRM device was
/// freed. In two more cases nothing is freed. There is no table, as it was purged or never made;
/// the kernel follows a null pointer. The table belongs to the exporter of an imported object; the
/// kernel frees it all the same.
///
/// # Safety
///
/// - `shmem` points to an initialised object, whose reservation lock this thread holds.
/// - No code uses the table any more.
#[track_caller]
pub unsafe fn __drm_gem_shmem_free_sgt_locked(shmem: *mut drm_gem_shmem_object) {
    const WHO: &str = "__drm_gem_shmem_free_sgt_locked";

    // SAFETY: The caller promises an initialised object, whose lock this thread holds.
    let shmem = unsafe { Shmem::new_locked(shmem, WHO) };
    let sgt = shmem.sgt();

    if sgt.is_null() {
        warn(format!(
            "BUG: null pointer followed in {WHO}(): {} {}",
            shmem.gem,
            match shmem.madv() {
                0.. => "has no table",
                _ => "was purged while its table was in use",
            }
        ));
        return;
    }
    if shmem.gem.import_attach().is_some() {
        warn(format!(
            "BUG: invalid free in {WHO}(): the table of {} is its exporter's",
            shmem.gem
        ));
        return;
    }

    report_afterwards(|| {
        let dev = shmem.gem.dev();
        // A freed DRM device is still readable here, and still has its parent.
        // SAFETY: `dev` was a DRM device when the object was initialised.
        unsafe { drm_dev_check(dev, WHO) };
        // SAFETY: The memory of a DRM device is never freed.
        let parent = unsafe { (*dev).dev };

        // SAFETY:
        // - A DRM device holds a reference to its parent.
        // - The table is valid, and nobody else uses it.
        unsafe { dma_unmap_sgtable(parent, sgt, dma_data_direction::DMA_BIDIRECTIONAL, 0) };
        // SAFETY: `drm_prime_pages_to_sg()` made it, and nobody uses it.
        unsafe { sg_free_table(sgt) };
        // SAFETY: `drm_prime_pages_to_sg()` allocated it, and nobody uses it.
        unsafe { kfree_obj(sgt) };
        shmem.set_sgt(ptr::null_mut());
    });
}

/// Lets go of everything but the memory of an object: `drm_gem_shmem_release()`.
///
/// Unmaps the table, if there is one, and puts the pages **once**, if there are any. May sleep: it
/// takes the reservation lock.
///
/// The table is freed, whichever code made it. A mapping of it that ends after this is reported
/// when it ends. Any of the three counts that is not zero in the end is a loud failure.
///
/// # Safety
///
/// `shmem` points to an initialised object that nobody else uses.
#[track_caller]
pub unsafe fn drm_gem_shmem_release(shmem: *mut drm_gem_shmem_object) {
    // SAFETY: The caller promises an initialised object that nobody else uses.
    let shmem = unsafe { Shmem::new(shmem) };

    report_afterwards(|| {
        if let Some(attach) = shmem.gem.import_attach() {
            // SAFETY: Nobody else uses the object, its attachment or its table.
            unsafe { drm_prime_gem_destroy(ptr::from_ref(attach).cast_mut(), shmem.sgt()) };
        } else {
            shmem.locked(|| {
                shmem.warn_on_count(shmem.vmap_use_count(), "vmap_use_count");

                if !shmem.sgt().is_null() {
                    // SAFETY: The lock is held, and nobody else uses the object or its table.
                    unsafe { __drm_gem_shmem_free_sgt_locked(shmem.ptr) };
                }
                if !shmem.pages().is_null() {
                    // SAFETY: The lock is held, and the object is still initialised.
                    unsafe { drm_gem_shmem_put_pages_locked(shmem.ptr) };
                }

                shmem.warn_on_count(shmem.pages_use_count(), "pages_use_count");
                shmem.warn_on_count(shmem.pages_pin_count(), "pages_pin_count");
            });
        }

        // SAFETY: Nobody else uses the object.
        unsafe { drm_gem_object_release(shmem.gem.as_ptr()) };
        // SAFETY: Nobody else uses the object, whose memory is still the caller's.
        unsafe { (*shmem.ptr).released = true };
    });
}

/// Releases an object that [`drm_gem_shmem_create`] made, and frees its memory:
/// `drm_gem_shmem_free()`.
///
/// # Safety
///
/// `shmem` comes from [`drm_gem_shmem_create`], and nobody uses it any more.
#[track_caller]
pub unsafe fn drm_gem_shmem_free(shmem: *mut drm_gem_shmem_object) {
    report_afterwards(|| {
        // SAFETY: The requirement includes this one.
        unsafe { drm_gem_shmem_release(shmem) };
        // SAFETY: It was allocated like this.
        unsafe { kfree_obj(shmem) };
    });
}

/// `drm_gem_shmem_object_free()`: [`drm_gem_shmem_free`] as a callback.
///
/// # Safety
///
/// `obj` is the base of an object that [`drm_gem_shmem_create`] made, and nobody uses it any more.
unsafe extern "C" fn drm_gem_shmem_object_free(obj: *mut drm_gem_object) {
    // SAFETY: The caller promises the base of an object of `drm_gem_shmem_create()` that nobody
    // uses any more.
    unsafe { drm_gem_shmem_free(to_drm_gem_shmem_obj(obj)) };
}

/// The shmem object around its base: `to_drm_gem_shmem_obj()`.
fn to_drm_gem_shmem_obj(obj: *mut drm_gem_object) -> *mut drm_gem_shmem_object {
    obj.wrapping_byte_sub(offset_of!(drm_gem_shmem_object, base))
        .cast()
}

/// `drm_gem_shmem_object_pin()`: [`drm_gem_shmem_pin_locked`] as a callback.
///
/// # Safety
///
/// `obj` is the base of an initialised object, whose reservation lock this thread holds. The caller
/// collects warnings, as a panic cannot pass.
pub unsafe extern "C" fn drm_gem_shmem_object_pin(obj: *mut drm_gem_object) -> c_int {
    // SAFETY: The caller promises that the object is initialised and the lock held.
    unsafe { drm_gem_shmem_pin_locked(to_drm_gem_shmem_obj(obj)) }
}

/// `drm_gem_shmem_object_unpin()`: [`drm_gem_shmem_unpin_locked`] as a callback.
///
/// # Safety
///
/// As for [`drm_gem_shmem_object_pin`].
pub unsafe extern "C" fn drm_gem_shmem_object_unpin(obj: *mut drm_gem_object) {
    // SAFETY: The caller promises that the object is initialised and the lock held.
    unsafe { drm_gem_shmem_unpin_locked(to_drm_gem_shmem_obj(obj)) }
}

/// `drm_gem_shmem_object_get_sg_table()`: [`drm_gem_shmem_get_sg_table`] as a callback.
///
/// # Safety
///
/// `obj` is the base of an initialised object whose pages are pinned. The caller collects warnings,
/// as a panic cannot pass.
pub unsafe extern "C" fn drm_gem_shmem_object_get_sg_table(
    obj: *mut drm_gem_object,
) -> *mut sg_table {
    // SAFETY: The caller promises that the object is initialised and its pages pinned.
    unsafe { drm_gem_shmem_get_sg_table(to_drm_gem_shmem_obj(obj)) }
}

/// `drm_gem_shmem_object_vmap()`: [`drm_gem_shmem_vmap_locked`] as a callback.
///
/// # Safety
///
/// As for [`drm_gem_shmem_object_pin`], and `map` is valid for writing.
pub unsafe extern "C" fn drm_gem_shmem_object_vmap(
    obj: *mut drm_gem_object,
    map: *mut iosys_map,
) -> c_int {
    // SAFETY: The caller promises that the object is initialised, the lock held, and `map` valid.
    unsafe { drm_gem_shmem_vmap_locked(to_drm_gem_shmem_obj(obj), map) }
}

/// `drm_gem_shmem_object_vunmap()`: [`drm_gem_shmem_vunmap_locked`] as a callback.
///
/// # Safety
///
/// As for [`drm_gem_shmem_object_pin`], and the caller gives up the mapping `map`.
pub unsafe extern "C" fn drm_gem_shmem_object_vunmap(
    obj: *mut drm_gem_object,
    map: *mut iosys_map,
) {
    // SAFETY: The caller promises that the object is initialised, the lock held, and the mapping
    // not used any more.
    unsafe { drm_gem_shmem_vunmap_locked(to_drm_gem_shmem_obj(obj), map) }
}

/// `drm_gem_shmem_get_pages_locked()`: one more use of the pages, which are looked up for the first
/// one.
#[track_caller]
fn drm_gem_shmem_get_pages_locked(shmem: Shmem<'_>) -> c_int {
    if shmem
        .pages_use_count()
        .inc_not_zero(format_args!("pages_use_count of {}", shmem.gem))
    {
        return 0;
    }

    // SAFETY: The reservation lock keeps others away.
    let pages = unsafe { drm_gem_get_pages(shmem.gem) };
    if let Some(errno) = ptr_err(pages) {
        return errno;
    }

    shmem.set_pages(pages);
    shmem.pages_use_count().set(1);
    0
}

/// One use of the pages less; they are put with the last one: `drm_gem_shmem_put_pages_locked()`.
///
/// Loud failures: the reservation lock is not held; the pages are not in use.
///
/// # Safety
///
/// `shmem` points to an initialised object, whose reservation lock this thread holds.
#[track_caller]
pub unsafe fn drm_gem_shmem_put_pages_locked(shmem: *mut drm_gem_shmem_object) {
    // SAFETY: The caller promises an initialised object, whose lock this thread holds.
    let shmem = unsafe { Shmem::new_locked(shmem, "drm_gem_shmem_put_pages_locked") };
    let last = shmem
        .pages_use_count()
        .dec_and_test(format_args!("pages_use_count of {}", shmem.gem));

    if last {
        // SAFETY: By the invariants of `Shmem`.
        let is_dirty = unsafe { (*shmem.ptr).pages_mark_dirty_on_put };
        // SAFETY: The last user is gone.
        unsafe { drm_gem_put_pages(shmem.gem, shmem.pages(), is_dirty) };
        shmem.set_pages(ptr::null_mut());
        // SAFETY: This thread holds the lock.
        unsafe { drm_gem_shmem_object::set_pages_mark_dirty_on_put_raw(shmem.ptr, false) };
    }
}

/// Keeps the pages where they are: `drm_gem_shmem_pin_locked()`. Returns 0, or `-ENOMEM`.
///
/// Loud failures: the reservation lock is not held; the object is imported.
///
/// # Safety
///
/// `shmem` points to an initialised object, whose reservation lock this thread holds.
#[track_caller]
pub unsafe fn drm_gem_shmem_pin_locked(shmem: *mut drm_gem_shmem_object) -> c_int {
    // SAFETY: The caller promises an initialised object, whose lock this thread holds.
    let shmem = unsafe { Shmem::new_locked(shmem, "drm_gem_shmem_pin_locked") };

    report_afterwards(|| {
        shmem.warn_on(
            shmem.gem.import_attach().is_some(),
            "drm_gem_is_imported(obj)",
        );

        let count = shmem.pages_pin_count();
        if count.inc_not_zero(format_args!("pages_pin_count of {}", shmem.gem)) {
            return 0;
        }

        let ret = drm_gem_shmem_get_pages_locked(shmem);
        if ret == 0 {
            count.set(1);
        }
        ret
    })
}

/// Undoes [`drm_gem_shmem_pin_locked`]: `drm_gem_shmem_unpin_locked()`.
///
/// Loud failures: the reservation lock is not held; the pages are not pinned.
///
/// # Safety
///
/// `shmem` points to an initialised object, whose reservation lock this thread holds.
#[track_caller]
pub unsafe fn drm_gem_shmem_unpin_locked(shmem: *mut drm_gem_shmem_object) {
    // SAFETY: The caller promises an initialised object, whose lock this thread holds.
    let shmem = unsafe { Shmem::new_locked(shmem, "drm_gem_shmem_unpin_locked") };
    let last = shmem
        .pages_pin_count()
        .dec_and_test(format_args!("pages_pin_count of {}", shmem.gem));

    if last {
        // SAFETY: The lock is held.
        unsafe { drm_gem_shmem_put_pages_locked(shmem.ptr) };
    }
}

/// Notes whether the pages may be purged, `madv > 0`, unless they were:
/// `drm_gem_shmem_madvise_locked()`. Returns whether they are still there.
///
/// A reservation lock that is not held is a loud failure.
///
/// # Safety
///
/// `shmem` points to an initialised object, whose reservation lock this thread holds.
#[track_caller]
pub unsafe fn drm_gem_shmem_madvise_locked(shmem: *mut drm_gem_shmem_object, madv: c_int) -> c_int {
    // SAFETY: The caller promises an initialised object, whose lock this thread holds.
    let shmem = unsafe { Shmem::new_locked(shmem, "drm_gem_shmem_madvise_locked") };

    if shmem.madv() >= 0 {
        shmem.set_madv(madv);
    }
    c_int::from(shmem.madv() >= 0)
}

/// Whether an object may be purged: `drm_gem_shmem_is_purgeable()`. Objects that are exported are
/// not modelled.
///
/// # Safety
///
/// As for [`drm_gem_shmem_madvise_locked`].
pub unsafe fn drm_gem_shmem_is_purgeable(shmem: *mut drm_gem_shmem_object) -> bool {
    // SAFETY: The caller promises an initialised object, whose lock this thread holds.
    let shmem = unsafe { Shmem::new(shmem) };

    shmem.madv() > 0
        && shmem.pages_pin_count().read() == 0
        && !shmem.sgt().is_null()
        && shmem.gem.import_attach().is_none()
}

/// Unmaps and frees the table of an object, puts one use of the pages, and gives the memory back:
/// `drm_gem_shmem_purge_locked()`.
///
/// In Linux 7.3 only panfrost's shrinker calls it, for objects of panfrost's own. **It frees a
/// table that other code still uses, too**, for instance a mapping of Rust. The memory of the
/// table is not given back here, so that using it is reported.
///
/// Loud failures: the reservation lock is not held; the object is not
/// [purgeable](drm_gem_shmem_is_purgeable); there is no table (the kernel follows a null pointer),
/// and nothing is done then.
///
/// # Safety
///
/// - `shmem` points to an initialised object, whose reservation lock this thread holds.
/// - No code uses the table any more.
#[track_caller]
pub unsafe fn drm_gem_shmem_purge_locked(shmem: *mut drm_gem_shmem_object) {
    const WHO: &str = "drm_gem_shmem_purge_locked";

    // SAFETY: The caller promises an initialised object, whose lock this thread holds.
    let shmem = unsafe { Shmem::new_locked(shmem, WHO) };
    let sgt = shmem.sgt();

    report_afterwards(|| {
        // SAFETY: The lock is held.
        let is_purgeable = unsafe { drm_gem_shmem_is_purgeable(shmem.ptr) };
        shmem.warn_on(!is_purgeable, "!drm_gem_shmem_is_purgeable(shmem)");
        if sgt.is_null() {
            warn(format!(
                "BUG: null pointer followed in {WHO}(): {} has no table",
                shmem.gem
            ));
            return;
        }

        let dev = shmem.gem.dev();
        // SAFETY: `dev` was a DRM device when the object was initialised.
        unsafe { drm_dev_check(dev, WHO) };
        // SAFETY: The memory of a DRM device is never freed, and a freed one still has its parent.
        let parent = unsafe { (*dev).dev };
        // SAFETY:
        // - A DRM device holds a reference to its parent.
        // - The table is valid.
        unsafe { dma_unmap_sgtable(parent, sgt, dma_data_direction::DMA_BIDIRECTIONAL, 0) };
        // SAFETY: It was mapped, so it is valid. It is freed nowhere else, since the object forgets
        // it here.
        unsafe { sg_quarantine_table(sgt) };
        shmem.set_sgt(ptr::null_mut());

        // SAFETY: The lock is held.
        unsafe { drm_gem_shmem_put_pages_locked(shmem.ptr) };
        shmem.set_madv(-1);

        // SAFETY: The object is not released.
        unsafe { drm_gem_free_mmap_offset(shmem.gem.as_ptr(), WHO) };
        if !shmem.gem.filp().is_null() {
            // SAFETY: The object has not put its file.
            unsafe { file::truncate(shmem.gem.filp()) };
        }
    });
}

/// Maps the object into kernel address space, contiguously: `drm_gem_shmem_vmap_locked()`.
///
/// Returns 0 and writes to `map`; or `-ENOMEM`. Pins the pages. An imported object is mapped by its
/// exporter: [`dma_buf_vmap`]. May sleep.
///
/// A reservation lock that is not held is a loud failure.
///
/// # Safety
///
/// - `shmem` points to an initialised object, whose reservation lock this thread holds.
/// - `map` is valid for writing.
#[track_caller]
pub unsafe fn drm_gem_shmem_vmap_locked(
    shmem: *mut drm_gem_shmem_object,
    map: *mut iosys_map,
) -> c_int {
    // SAFETY: The caller promises an initialised object, whose lock this thread holds.
    let shmem = unsafe { Shmem::new_locked(shmem, "drm_gem_shmem_vmap_locked") };

    if let Some(attach) = shmem.gem.import_attach() {
        // SAFETY: An attachment is to a live buffer, which has the reservation object of what is
        // imported from it. `map` is valid for writing.
        return unsafe { dma_buf_vmap(attach.dmabuf, map) };
    }

    report_afterwards(|| {
        let count = shmem.vmap_use_count();

        if !count.inc_not_zero(format_args!("vmap_use_count of {}", shmem.gem)) {
            // SAFETY: The lock is held.
            let ret = unsafe { drm_gem_shmem_pin_locked(shmem.ptr) };
            if ret != 0 {
                return ret;
            }

            // SAFETY: They were pinned just now, all of them.
            let vaddr = unsafe { vmap(shmem.pages(), shmem.npages()) };
            shmem.set_vaddr(vaddr);
            if vaddr.is_null() {
                // SAFETY: The lock is held.
                unsafe { drm_gem_shmem_unpin_locked(shmem.ptr) };
                return code::ENOMEM.to_errno();
            }
            // SAFETY: The caller holds the lock.
            unsafe { drm_gem_shmem_object::set_pages_mark_dirty_on_put_raw(shmem.ptr, true) };
            count.set(1);
        }

        // SAFETY: The caller promises that `map` is valid for writing.
        unsafe { map.write(iosys_map::new(shmem.vaddr())) };
        0
    })
}

/// Undoes [`drm_gem_shmem_vmap_locked`]: `drm_gem_shmem_vunmap_locked()`.
///
/// Loud failures: the reservation lock is not held; the object is not mapped.
///
/// # Safety
///
/// - `shmem` points to an initialised object, whose reservation lock this thread holds.
/// - `map` is a mapping of the object, which the caller gives up and does not use any more.
#[track_caller]
pub unsafe fn drm_gem_shmem_vunmap_locked(shmem: *mut drm_gem_shmem_object, map: *mut iosys_map) {
    // SAFETY: The caller promises an initialised object, whose lock this thread holds.
    let shmem = unsafe { Shmem::new_locked(shmem, "drm_gem_shmem_vunmap_locked") };

    if let Some(attach) = shmem.gem.import_attach() {
        // SAFETY: An attachment is to a live buffer, which has the reservation object of what is
        // imported from it. The caller gives up the mapping.
        unsafe { dma_buf_vunmap(attach.dmabuf, map) };
        return;
    }

    let last = shmem
        .vmap_use_count()
        .dec_and_test(format_args!("vmap_use_count of {}", shmem.gem));
    if last {
        shmem.set_vaddr(ptr::null_mut());
        // SAFETY: The lock is held.
        unsafe { drm_gem_shmem_unpin_locked(shmem.ptr) };
    }
}

/// A new table of the pages of an object, which is mapped for no device and which the object does
/// not keep: `drm_gem_shmem_get_sg_table()`, for exporting. Returns an error pointer without
/// memory.
///
/// An imported object is a loud failure.
///
/// # Safety
///
/// `shmem` points to an initialised object whose pages are pinned.
#[track_caller]
pub unsafe fn drm_gem_shmem_get_sg_table(shmem: *mut drm_gem_shmem_object) -> *mut sg_table {
    // SAFETY: The caller promises an initialised object whose pages are pinned.
    let shmem = unsafe { Shmem::new(shmem) };

    report_afterwards(|| {
        shmem.warn_on(
            shmem.gem.import_attach().is_some(),
            "drm_gem_is_imported(obj)",
        );
        // SAFETY: `dev` was a DRM device when the object was initialised.
        unsafe { drm_dev_check(shmem.gem.dev(), "drm_gem_shmem_get_sg_table") };
        // SAFETY: The memory of a DRM device is never freed, and a freed one still has its parent.
        drm_prime_pages_to_sg(shmem, unsafe { (*shmem.gem.dev()).dev })
    })
}

/// Frees a table that [`drm_gem_shmem_get_sg_table`] made, as `drm_gem_unmap_dma_buf()` does once
/// it is unmapped.
///
/// # Safety
///
/// `sgt` comes from there, and nobody uses it any more.
pub unsafe fn drm_gem_free_sg_table(sgt: *mut sg_table) {
    // SAFETY: The caller promises that the table is valid, and that nobody uses it.
    unsafe { sg_free_table(sgt) };
    // SAFETY: `drm_gem_shmem_get_sg_table()` allocated it, and nobody uses it.
    unsafe { kfree_obj(sgt) };
}

/// `drm_prime_pages_to_sg()` of `drm_prime.c`: a table of the pages, not mapped yet, or an error
/// pointer.
#[track_caller]
fn drm_prime_pages_to_sg(shmem: Shmem<'_>, dev: *mut super::device) -> *mut sg_table {
    let sgt = kmalloc_obj(sg_table::new(), GFP_KERNEL);
    if sgt.is_null() {
        return err_ptr(code::ENOMEM.to_errno());
    }

    // SAFETY: The device is alive. C cuts the number off, too.
    let max_segment = unsafe { dma_max_mapping_size(dev) } as c_uint;
    // SAFETY:
    // - `sgt` was allocated above.
    // - All pages of the object are in the list; they are put only after the table is freed.
    let ret = unsafe {
        sg_alloc_table_from_pages_segment(
            sgt,
            shmem.pages(),
            shmem.npages() as c_uint,
            0,
            shmem.gem.size() as c_ulong,
            max_segment,
            GFP_KERNEL,
        )
    };
    if ret != 0 {
        // SAFETY: Allocated above, and of no use.
        unsafe { kfree_obj(sgt) };
        return err_ptr(ret);
    }
    sgt
}

/// `drm_gem_shmem_get_pages_sgt_locked()`.
#[track_caller]
fn drm_gem_shmem_get_pages_sgt_locked(shmem: Shmem<'_>) -> *mut sg_table {
    if !shmem.sgt().is_null() {
        return shmem.sgt();
    }

    shmem.warn_on(
        shmem.gem.import_attach().is_some(),
        "drm_gem_is_imported(obj)",
    );

    let ret = drm_gem_shmem_get_pages_locked(shmem);
    if ret != 0 {
        return err_ptr(ret);
    }

    // SAFETY: `dev` was a DRM device when the object was initialised.
    unsafe { drm_dev_check(shmem.gem.dev(), "drm_gem_shmem_get_pages_sgt") };
    // SAFETY: The memory of a DRM device is never freed, and a freed one still has its parent.
    let dev = unsafe { (*shmem.gem.dev()).dev };

    let sgt = drm_prime_pages_to_sg(shmem, dev);
    if ptr_err(sgt).is_some() {
        // SAFETY: The lock is held.
        unsafe { drm_gem_shmem_put_pages_locked(shmem.ptr) };
        return sgt;
    }

    // SAFETY: The table is new, and a DRM device holds a reference to its parent.
    let ret = unsafe { dma_map_sgtable(dev, sgt, dma_data_direction::DMA_BIDIRECTIONAL, 0) };
    if ret != 0 {
        // SAFETY: The table is valid, and no other code has seen it.
        unsafe { sg_free_table(sgt) };
        // SAFETY: `drm_prime_pages_to_sg()` allocated it, and no other code has seen it.
        unsafe { kfree_obj(sgt) };
        // SAFETY: The lock is held.
        unsafe { drm_gem_shmem_put_pages_locked(shmem.ptr) };
        return err_ptr(ret);
    }

    shmem.set_sgt(sgt);
    sgt
}

/// The table of an object, mapped for its device: `drm_gem_shmem_get_pages_sgt()`.
///
/// The first call makes it, and takes one use of the pages, **which freeing the table does not
/// put**; later calls find it and take nothing. May sleep: it takes the reservation lock.
///
/// Returns an error pointer: `-ENOMEM`, `-EIO` if the device does not reach the pages, or `-EINTR`
/// if a signal comes while it waits for the lock; then nothing is taken.
///
/// # Safety
///
/// `shmem` points to an initialised object.
#[track_caller]
pub unsafe fn drm_gem_shmem_get_pages_sgt(shmem: *mut drm_gem_shmem_object) -> *mut sg_table {
    // SAFETY: By the requirement of this function; the fields are not touched before the lock is
    // taken.
    let shmem = unsafe { Shmem::new(shmem) };

    report_afterwards(|| {
        shmem.check_released("drm_gem_shmem_get_pages_sgt");
        // SAFETY: `resv` is valid as long as the object is initialised.
        let ret = unsafe { dma_resv_lock_interruptible(shmem.gem.resv(), ptr::null_mut()) };
        if ret != 0 {
            return err_ptr(ret);
        }

        let sgt = drm_gem_shmem_get_pages_sgt_locked(shmem);
        // SAFETY: `resv` is valid as long as the object is initialised, and this thread has locked
        // it.
        unsafe { dma_resv_unlock(shmem.gem.resv()) };
        sgt
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bindings::{self, collect_warnings, drm_driver, Ledger},
        page::PAGE_SIZE,
        testing::{fail_nth, ledger, TestDevice},
    };

    static DRIVER: drm_driver = drm_driver::new();

    /// Makes a DRM device.
    fn drm_device(dev: &TestDevice) -> *mut drm_device {
        let dev = dev.device();
        // SAFETY: The device is alive, and the driver is a static.
        unsafe { bindings::__drm_dev_alloc(dev.as_raw(), &DRIVER, size_of::<drm_device>(), 0) }
            .cast()
    }

    fn drm_put(drm: *mut drm_device) {
        // SAFETY: Tests put what they made.
        unsafe { bindings::drm_dev_put(drm) };
    }

    /// A shmem object, used through safe functions. Tests keep it alive, and make no races.
    #[derive(Clone, Copy)]
    struct Buffer(*mut drm_gem_shmem_object);

    // SAFETY: Objects may be used from any thread.
    unsafe impl Send for Buffer {}

    impl Buffer {
        fn new(drm: *mut drm_device, pages: usize) -> Self {
            // SAFETY: `drm` is a DRM device.
            let shmem = unsafe { drm_gem_shmem_create(drm, pages * PAGE_SIZE) };
            assert_eq!(ptr_err(shmem), None);
            Self(shmem)
        }

        fn shmem(self) -> Shmem<'static> {
            // SAFETY: Tests keep the object alive, and make no races.
            unsafe { Shmem::new(self.0) }
        }

        fn map(self) -> Result<*mut sg_table, c_int> {
            // SAFETY: The object is alive.
            let sgt = unsafe { drm_gem_shmem_get_pages_sgt(self.0) };
            ptr_err(sgt).map_or(Ok(sgt), Err)
        }

        fn unmap(self) {
            // SAFETY: The object is alive, and nobody uses the table.
            self.shmem()
                .locked(|| unsafe { __drm_gem_shmem_free_sgt_locked(self.0) });
        }

        fn pin(self) -> c_int {
            // SAFETY: The object is alive.
            self.shmem()
                .locked(|| unsafe { drm_gem_shmem_pin_locked(self.0) })
        }

        fn unpin(self) {
            // SAFETY: The object is alive.
            self.shmem()
                .locked(|| unsafe { drm_gem_shmem_unpin_locked(self.0) });
        }

        fn put_pages(self) {
            // SAFETY: The object is alive.
            self.shmem()
                .locked(|| unsafe { drm_gem_shmem_put_pages_locked(self.0) });
        }

        fn vmap(self) -> Result<*mut u8, c_int> {
            let mut map = iosys_map::new(ptr::null_mut());
            let ret = self
                .shmem()
                // SAFETY: The object is alive.
                .locked(|| unsafe { drm_gem_shmem_vmap_locked(self.0, &mut map) });
            assert!(!map.is_iomem);
            // SAFETY: Of two pointers either can be read.
            let vaddr = unsafe { map.__bindgen_anon_1.vaddr };
            if ret == 0 {
                Ok(vaddr.cast())
            } else {
                Err(ret)
            }
        }

        fn vunmap(self) {
            let mut map = iosys_map::new(self.shmem().vaddr());
            self.shmem()
                // SAFETY: The object is alive.
                .locked(|| unsafe { drm_gem_shmem_vunmap_locked(self.0, &mut map) });
        }

        fn put(self) {
            // SAFETY: Tests put the object once, in the end.
            unsafe { bindings::drm_gem_object_put(self.shmem().gem.as_ptr()) };
        }

        /// `(pages_use_count, pages_pin_count, vmap_use_count)`.
        fn counts(self) -> (i32, i32, i32) {
            let shmem = self.shmem();
            (
                shmem.pages_use_count().read(),
                shmem.pages_pin_count().read(),
                shmem.vmap_use_count().read(),
            )
        }

        fn set_import_attach(self, attach: *mut dma_buf_attachment) {
            // SAFETY: The object is alive.
            unsafe { (*self.0).base.import_attach = attach };
        }

        fn set_funcs(self, funcs: &'static drm_gem_object_funcs) {
            // SAFETY: The object is alive.
            unsafe { (*self.0).base.funcs = funcs };
        }
    }

    #[test]
    fn balanced_use_is_silent() {
        let dev = TestDevice::new(c"gpu0").unwrap();
        let drm = drm_device(&dev);
        let buffer = Buffer::new(drm, 9);
        assert_eq!(buffer.counts(), (0, 0, 0));

        let sgt = buffer.map().unwrap();
        assert_eq!(buffer.map(), Ok(sgt));
        assert_eq!(buffer.counts(), (1, 0, 0));
        // SAFETY: The table is mapped.
        let table = unsafe { crate::scatterlist::SGTable::from_raw(sgt) };
        let lengths: Vec<_> = table
            .iter()
            .map(|sg| sg.dma_len() / PAGE_SIZE as u64)
            .collect();
        assert_eq!(lengths, [4, 4, 1]);
        assert_eq!(
            ledger(&dev.device()),
            Ledger {
                live: 1,
                bytes: 9 * PAGE_SIZE as u64,
                mapped: 1,
                unmapped: 0,
            }
        );

        // The pages outlive the table.
        buffer.unmap();
        assert_eq!(buffer.counts(), (1, 0, 0));
        assert_eq!(ledger(&dev.device()).live, 0);

        buffer.put();
        drm_put(drm);
    }

    #[test]
    fn racing_threads_share_one_table() {
        let dev = TestDevice::new(c"gpu0").unwrap();
        let drm = drm_device(&dev);
        let buffer = Buffer::new(drm, 8);

        let tables: Vec<usize> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(move || buffer.map().unwrap().addr()))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert!(tables.iter().all(|&table| table == tables[0]));
        assert_eq!(buffer.counts(), (1, 0, 0));
        assert_eq!(ledger(&dev.device()).mapped, 1);

        buffer.put();
        drm_put(drm);
    }

    #[test]
    fn release_unmaps_what_a_c_driver_left_mapped() {
        let dev = TestDevice::new(c"gpu0").unwrap();
        let drm = drm_device(&dev);
        let buffer = Buffer::new(drm, 1);

        buffer.map().unwrap();
        buffer.put();
        assert_eq!(ledger(&dev.device()).live, 0);
        drm_put(drm);
    }

    #[test]
    fn a_second_table_holds_the_pages_twice() {
        let dev = TestDevice::new(c"gpu0").unwrap();
        let drm = drm_device(&dev);
        let buffer = Buffer::new(drm, 1);

        buffer.map().unwrap();
        buffer.unmap();
        buffer.map().unwrap();
        assert_eq!(buffer.counts(), (2, 0, 0));
        buffer.unmap();

        let ((), warnings) = collect_warnings(|| buffer.put());
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with("drm_WARN_ON(pages_use_count is 1): GEM object"));
        assert!(warnings[0].contains("gpu0"));
        drm_put(drm);
    }

    #[test]
    fn a_second_table_is_balanced_by_putting_the_pages() {
        let dev = TestDevice::new(c"gpu0").unwrap();
        let drm = drm_device(&dev);
        let buffer = Buffer::new(drm, 1);

        for _ in 0..3 {
            buffer.map().unwrap();
            buffer.unmap();
            buffer.put_pages();
            assert_eq!(buffer.counts(), (0, 0, 0));
            assert!(buffer.shmem().pages().is_null());
        }
        buffer.put();
        drm_put(drm);
    }

    #[test]
    fn a_failed_mapping_takes_nothing() {
        let dev = TestDevice::new(c"gpu0").unwrap();
        let drm = drm_device(&dev);
        let buffer = Buffer::new(drm, 3);

        for nth in 1.. {
            let fault = fail_nth(nth);
            let result = buffer.map();
            if !fault.tripped() {
                // List, pages, table, entries. Pages that were put clean are made again.
                assert_eq!(nth, 5);
                break;
            }
            assert_eq!(result, Err(code::ENOMEM.to_errno()));
            assert_eq!(buffer.counts(), (0, 0, 0));
            assert!(buffer.shmem().pages().is_null());
            assert!(buffer.shmem().sgt().is_null());
        }
        buffer.unmap();
        buffer.put_pages();

        let parent = dev.device();
        // SAFETY: The device is alive.
        unsafe { bindings::dma_set_mask(parent.as_raw(), (1 << 24) - 1) };
        let (result, warnings) = collect_warnings(|| buffer.map());
        assert_eq!(result, Err(code::EIO.to_errno()));
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert_eq!(buffer.counts(), (0, 0, 0));
        assert_eq!(ledger(&parent).mapped, 1);
        // SAFETY: The device is alive.
        unsafe { bindings::dma_set_mask(parent.as_raw(), u64::MAX) };
        buffer.map().unwrap();

        buffer.put();
        drm_put(drm);
    }

    #[test]
    fn a_vmap_shows_the_pages() {
        let dev = TestDevice::new(c"gpu0").unwrap();
        let drm = drm_device(&dev);
        let buffer = Buffer::new(drm, 2);

        let vaddr = buffer.vmap().unwrap();
        assert_eq!(buffer.vmap(), Ok(vaddr));
        assert_eq!(buffer.counts(), (1, 1, 2));
        assert_eq!(buffer.pin(), 0);
        assert_eq!(buffer.counts(), (1, 2, 2));
        // SAFETY: Two pages are mapped.
        unsafe { vaddr.wrapping_add(PAGE_SIZE + 1).write(7) };

        // SAFETY: There are two pages, and the list does not change.
        let page = unsafe { *buffer.shmem().pages().wrapping_add(1) };
        // SAFETY: The page is pinned.
        let page = unsafe { bindings::page_address(page) }.cast::<u8>();
        // SAFETY: The page is pinned, and the address is within it.
        assert_eq!(unsafe { page.wrapping_add(1).read() }, 7);

        buffer.vunmap();
        buffer.unpin();
        assert_eq!(buffer.counts(), (1, 1, 1));
        buffer.vunmap();
        assert_eq!(buffer.counts(), (0, 0, 0));
        assert!(buffer.shmem().vaddr().is_null());

        // A failed mapping takes nothing; what was written stays.
        let fault = fail_nth(2);
        assert_eq!(buffer.vmap(), Err(code::ENOMEM.to_errno()));
        assert!(fault.tripped());
        drop(fault);
        assert_eq!(buffer.counts(), (0, 0, 0));
        let vaddr = buffer.vmap().unwrap();
        // SAFETY: Two pages are mapped.
        assert_eq!(unsafe { vaddr.wrapping_add(PAGE_SIZE + 1).read() }, 7);
        buffer.vunmap();

        buffer.put();
        drm_put(drm);
    }

    #[test]
    fn what_is_still_in_use_at_release_is_loud() {
        let dev = TestDevice::new(c"gpu0").unwrap();
        let drm = drm_device(&dev);

        let buffer = Buffer::new(drm, 1);
        buffer.vmap().unwrap();
        let ((), warnings) = collect_warnings(|| buffer.put());
        // As in C: pages are put once whatever they are used for, so that the use of the pin goes.
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].starts_with("drm_WARN_ON(vmap_use_count is 1)"));
        assert!(warnings[1].starts_with("drm_WARN_ON(pages_pin_count is 1)"));

        drm_put(drm);
    }

    #[test]
    fn underflows_are_loud() {
        let dev = TestDevice::new(c"gpu0").unwrap();
        let drm = drm_device(&dev);

        for (put, name) in [
            (Buffer::put_pages as fn(Buffer), "pages_use_count"),
            (Buffer::unpin, "pages_pin_count"),
            (Buffer::vunmap, "vmap_use_count"),
        ] {
            let buffer = Buffer::new(drm, 1);
            let ((), warnings) = collect_warnings(|| put(buffer));
            assert_eq!(warnings.len(), 1, "{warnings:?}");
            assert!(warnings[0].starts_with(&format!(
                "refcount_t: underflow; use-after-free: {name} of GEM"
            )));

            // The count stays saturated, which is seen again at release.
            let ((), warnings) = collect_warnings(|| buffer.put());
            assert_eq!(warnings.len(), 1, "{warnings:?}");
        }
        drm_put(drm);
    }

    #[test]
    fn unmapping_twice_is_loud() {
        let dev = TestDevice::new(c"gpu0").unwrap();
        let drm = drm_device(&dev);
        let buffer = Buffer::new(drm, 1);

        buffer.map().unwrap();
        buffer.unmap();
        let ((), warnings) = collect_warnings(|| buffer.unmap());
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with("BUG: null pointer followed in __drm_gem_shmem_free_sgt"));

        buffer.put();
        drm_put(drm);
    }

    #[test]
    fn locked_functions_need_the_lock() {
        let dev = TestDevice::new(c"gpu0").unwrap();
        let drm = drm_device(&dev);
        let buffer = Buffer::new(drm, 1);
        buffer.map().unwrap();
        let mut map = iosys_map::new(ptr::null_mut());

        let ((), warnings) = collect_warnings(|| {
            // SAFETY: The object is alive. Only this thread uses it, so the call is sound without
            // the lock.
            unsafe { drm_gem_shmem_pin_locked(buffer.0) };
            // SAFETY: The object is alive, and only this thread uses it.
            unsafe { drm_gem_shmem_unpin_locked(buffer.0) };
            // SAFETY: The object is alive, and only this thread uses it and `map`.
            unsafe { drm_gem_shmem_vmap_locked(buffer.0, &mut map) };
            // SAFETY: The object is alive, and only this thread uses it and `map`.
            unsafe { drm_gem_shmem_vunmap_locked(buffer.0, &mut map) };
            // SAFETY: The object is alive, and only this thread uses it and its table.
            unsafe { __drm_gem_shmem_free_sgt_locked(buffer.0) };
            // SAFETY: The object is alive, and only this thread uses it.
            unsafe { drm_gem_shmem_put_pages_locked(buffer.0) };
        });
        for who in [
            "drm_gem_shmem_pin_locked",
            "drm_gem_shmem_unpin_locked",
            "drm_gem_shmem_vmap_locked",
            "drm_gem_shmem_vunmap_locked",
            "__drm_gem_shmem_free_sgt_locked",
            "drm_gem_shmem_put_pages_locked",
        ] {
            let text = format!("{who}(): GEM object");
            assert!(
                warnings
                    .iter()
                    .any(|w| w.starts_with(&text) && w.contains("lock is not held")),
                "{who}: {warnings:?}"
            );
        }

        assert_eq!(buffer.counts(), (0, 0, 0));
        buffer.put();
        drm_put(drm);
    }

    #[test]
    fn reports_at_release_come_as_one_panic_in_the_end() {
        let dev = TestDevice::new(c"gpu0").unwrap();
        let drm = drm_device(&dev);
        let buffer = Buffer::new(drm, 1);
        buffer.map().unwrap();
        assert_eq!(buffer.pin(), 0);

        // Through a callback that a panic could not leave.
        let panic = std::panic::catch_unwind(|| buffer.put()).unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.contains("pages_use_count is 1"), "{text}");
        assert!(text.contains("pages_pin_count is 1"), "{text}");
        assert_eq!(ledger(&dev.device()).live, 0);
        drm_put(drm);
    }

    #[test]
    fn a_mapping_that_ends_after_the_release_is_loud() {
        /// As an object would whose teardown comes too late.
        unsafe extern "C" fn free(obj: *mut drm_gem_object) {
            let buffer = Buffer(obj.cast());
            // SAFETY: Nobody else uses the object.
            unsafe { drm_gem_shmem_release(buffer.0) };
            buffer.unmap();
            buffer.put_pages();
            // SAFETY: It was allocated like this.
            unsafe { kfree_obj(buffer.0) };
        }
        static FUNCS: drm_gem_object_funcs = drm_gem_object_funcs {
            free: Some(free),
            ..drm_gem_object_funcs::new()
        };

        let dev = TestDevice::new(c"gpu0").unwrap();
        let drm = drm_device(&dev);
        let buffer = Buffer::new(drm, 1);
        buffer.set_funcs(&FUNCS);
        buffer.map().unwrap();

        let ((), warnings) = collect_warnings(|| buffer.put());
        let [freeing, table, putting, pages] = &warnings[..] else {
            panic!("{warnings:?}");
        };
        assert!(freeing.starts_with("BUG: use after free in __drm_gem_shmem_free_sgt_locked()"));
        assert!(freeing.ends_with("was released"));
        assert!(table.contains("has no table"), "{table}");
        assert!(putting.starts_with("BUG: use after free in drm_gem_shmem_put_pages_locked()"));
        assert!(pages.starts_with("refcount_t: underflow"), "{pages}");
        drm_put(drm);
    }

    /// Purges an object.
    fn purge(buffer: Buffer) {
        // SAFETY: The object is alive.
        let purge = || unsafe { drm_gem_shmem_purge_locked(buffer.0) };
        buffer.shmem().locked(purge);
    }

    fn madvise(buffer: Buffer, madv: c_int) -> c_int {
        // SAFETY: The object is alive.
        let madvise = || unsafe { drm_gem_shmem_madvise_locked(buffer.0, madv) };
        buffer.shmem().locked(madvise)
    }

    #[test]
    fn a_purge_gives_back_table_and_pages() {
        let dev = TestDevice::new(c"gpu0").unwrap();
        let drm = drm_device(&dev);
        let buffer = Buffer::new(drm, 2);
        // SAFETY: One page and more is mapped.
        unsafe { buffer.vmap().unwrap().write(7) };
        buffer.vunmap();

        let table = buffer.map().unwrap();
        assert_eq!(madvise(buffer, 1), 1);
        purge(buffer);
        assert_eq!(buffer.counts(), (0, 0, 0));
        assert_eq!(ledger(&dev.device()).live, 0);
        // For good.
        assert_eq!(madvise(buffer, 0), 0);

        // The data is lost, and the pages can be taken again.
        let vaddr = buffer.vmap().unwrap();
        // SAFETY: Two pages are mapped.
        assert_eq!(unsafe { vaddr.read() }, 0);
        buffer.vunmap();
        buffer.map().unwrap();
        assert_eq!(buffer.counts(), (1, 0, 0));

        // A user of the old table gets a report.
        // SAFETY: The table is never given back.
        let table = unsafe { crate::scatterlist::SGTable::from_raw(table) };
        let (entries, warnings) = collect_warnings(|| table.iter().count());
        assert_eq!(entries, 0);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with("BUG: use after free in SGTable::iter()"));

        buffer.put();
        drm_put(drm);
    }

    #[test]
    fn a_purge_of_what_is_in_use_is_loud() {
        let dev = TestDevice::new(c"gpu0").unwrap();
        let drm = drm_device(&dev);

        // Not advised; advised and pinned; advised and without a table.
        for (prepare, reports) in [
            ((|buffer| _ = buffer.map().unwrap()) as fn(Buffer), 1),
            (
                |buffer| {
                    buffer.map().unwrap();
                    madvise(buffer, 1);
                    buffer.pin();
                },
                1,
            ),
            (|buffer| _ = madvise(buffer, 1), 2),
        ] {
            let buffer = Buffer::new(drm, 1);
            prepare(buffer);
            let ((), warnings) = collect_warnings(|| purge(buffer));
            assert_eq!(warnings.len(), reports, "{warnings:?}");
            assert!(warnings[0].starts_with("drm_WARN_ON(!drm_gem_shmem_is_purgeable(shmem))"));
            if buffer.counts().1 != 0 {
                buffer.unpin();
            }
            buffer.put();
        }
        drm_put(drm);
    }

    #[test]
    fn an_object_that_outlives_its_drm_device_is_loud() {
        let dev = TestDevice::new(c"gpu0").unwrap();
        let drm = drm_device(&dev);
        let buffer = Buffer::new(drm, 1);
        buffer.map().unwrap();

        // The device is freed while it has an object.
        let ((), warnings) = collect_warnings(|| drm_put(drm));
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with("WARN: Memory manager not clean during takedown: 1 obj"));
        assert!(warnings[0].contains("gpu0"));

        let ((), warnings) = collect_warnings(|| buffer.unmap());
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with("BUG: use after free in __drm_gem_shmem_free_sgt"));
        assert!(warnings[0].contains("gpu0"));
        assert_eq!(ledger(&dev.device()).live, 0);

        let (_, warnings) = collect_warnings(|| buffer.map().is_ok());
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        collect_warnings(|| buffer.unmap());
        buffer.put_pages();

        // Of an object that has nothing mapped, the release reads the device nevertheless.
        let ((), warnings) = collect_warnings(|| buffer.put());
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with("BUG: use after free in drm_gem_object_release()"));
    }

    #[test]
    fn an_imported_table_stays_with_its_exporter() {
        let dev = TestDevice::new(c"gpu0").unwrap();
        let drm = drm_device(&dev);
        let exported = Buffer::new(drm, 1);
        let both = dma_data_direction::DMA_BIDIRECTIONAL;

        // SAFETY: The object is initialised. The import takes over the reference to the buffer.
        let buf = unsafe { bindings::drm_gem_prime_export(exported.shmem().gem.as_ptr(), 0) };
        // SAFETY: The buffer is valid, and the device outlives the test.
        let attach = unsafe { bindings::dma_buf_attach(buf, dev.device().as_raw()) };
        // SAFETY: The attachment is new.
        let sgt = unsafe { bindings::dma_buf_map_attachment_unlocked(attach, both) };
        // SAFETY: The object keeps both of them.
        let obj = unsafe { drm_gem_shmem_prime_import_sg_table(drm, attach, sgt) };
        // The base comes first.
        let imported = Buffer(obj.cast());
        imported.set_import_attach(attach);
        // SAFETY: The buffer is valid.
        let resv = unsafe { (*buf).resv };
        // SAFETY: Nobody else uses the object.
        unsafe { (*obj).resv = resv };

        assert_eq!(imported.map(), Ok(sgt));
        assert_eq!(imported.counts(), (0, 0, 0));
        assert_eq!(exported.counts(), (1, 1, 0));
        let ((), warnings) = collect_warnings(|| imported.unmap());
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with("BUG: invalid free in __drm_gem_shmem_free_sgt_locked()"));

        // The release unmaps, detaches, and puts the buffer.
        assert_eq!(ledger(&dev.device()).live, 1);
        imported.put();
        assert_eq!(ledger(&dev.device()).live, 0);
        assert_eq!(exported.counts(), (0, 0, 0));

        exported.put();
        drm_put(drm);
    }

    #[test]
    fn dropping_the_last_reference_under_the_lock_is_loud() {
        let dev = TestDevice::new(c"gpu0").unwrap();
        let drm = drm_device(&dev);
        let buffer = Buffer::new(drm, 1);

        // SAFETY: The object is alive.
        unsafe { dma_resv_lock(buffer.shmem().gem.resv(), ptr::null_mut()) };
        let ((), warnings) = collect_warnings(|| buffer.put());
        assert!(warnings[0].starts_with("possible recursive locking detected"));
        drm_put(drm);
    }

    #[test]
    #[should_panic(expected = "multiple of the page size")]
    fn an_odd_size_is_loud() {
        let mut shmem = drm_gem_shmem_object::default();
        // SAFETY: The object is as new, and the device is not looked at.
        unsafe { drm_gem_shmem_init(ptr::null_mut(), &mut shmem, 1) };
    }
}
