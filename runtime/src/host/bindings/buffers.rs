// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Buffers that drivers share with each other, as in `drivers/dma-buf/dma-buf.c` and
//! `drivers/gpu/drm/drm_prime.c`.
//!
//! Every exporter is a GEM object, so that the callbacks of [`dma_buf`] are called directly. A
//! buffer is released by whoever puts the last reference, where a kernel thread leaves that to a
//! worker. File descriptors and fences are not modelled.

use super::{
    device, dma_data_direction, dma_map_sgtable, dma_resv, dma_resv_assert_held, dma_resv_lock,
    dma_resv_unlock, dma_unmap_sgtable, drm_dev_get, drm_dev_put, drm_gem_free_sg_table,
    drm_gem_object, drm_gem_object_funcs, drm_gem_object_get, drm_gem_object_put, iosys_map,
    kfree_obj, kmalloc_obj, refcount_t, report_afterwards, sg_table, warn, Gem, ERR_PTR,
    GFP_KERNEL, IS_ERR,
};
use crate::error::{code, Error};
use core::{
    ffi::{c_int, c_long, c_void},
    ptr,
    sync::atomic::{AtomicPtr, AtomicU32, Ordering},
};

/// A buffer: what the model keeps of `struct dma_buf`.
#[derive(Debug)]
pub struct dma_buf {
    /// Bytes.
    pub size: usize,
    /// Importers that are attached to it.
    pub attachments: AtomicU32,
    /// Tables of it that importers have mapped.
    pub mappings: AtomicU32,
    /// The exported object and a reference to it, or null if no object stands behind the buffer.
    pub priv_: *mut drm_gem_object,
    /// The reservation object of the exported object.
    pub resv: *mut dma_resv,
    /// Uses of the mapping in kernel address space. Written to with the reservation lock held.
    pub vmapping_counter: AtomicU32,
    /// Where it is mapped, or null: what the model keeps of `vmap_ptr`. Written to with the
    /// reservation lock held.
    pub vmap_ptr: AtomicPtr<c_void>,
    /// References to the buffer: what the model keeps of `file`.
    pub refcount: refcount_t,
}

impl Default for dma_buf {
    fn default() -> Self {
        Self {
            size: 0,
            attachments: AtomicU32::new(0),
            mappings: AtomicU32::new(0),
            priv_: ptr::null_mut(),
            resv: ptr::null_mut(),
            vmapping_counter: AtomicU32::new(0),
            vmap_ptr: AtomicPtr::new(ptr::null_mut()),
            refcount: refcount_t::new(1),
        }
    }
}

/// One importer's hold on a buffer: `struct dma_buf_attachment`.
#[derive(Debug)]
pub struct dma_buf_attachment {
    /// The buffer.
    pub dmabuf: *mut dma_buf,
    /// The device that the importer maps the buffer for.
    pub dev: *mut device,
}

// SAFETY: Both pointers may be null.
unsafe impl pin_init::Zeroable for dma_buf_attachment {}

impl Default for dma_buf_attachment {
    fn default() -> Self {
        pin_init::zeroed()
    }
}

/// An error pointer of any type.
fn err_ptr<T>(error: Error) -> *mut T {
    // SAFETY: There are no requirements.
    unsafe { ERR_PTR(c_long::from(error.to_errno())) }.cast()
}

/// Calls `function` with the buffer's reservation lock held.
///
/// # Safety
///
/// `buf` is valid, and has a reservation object.
#[track_caller]
unsafe fn locked<R>(buf: *mut dma_buf, function: impl FnOnce() -> R) -> R {
    // SAFETY: `buf` is valid.
    let resv = unsafe { (*buf).resv };

    // SAFETY: The exported object has a valid reservation object.
    unsafe { dma_resv_lock(resv, ptr::null_mut()) };
    let result = function();
    // SAFETY: The exported object has a valid reservation object, which was locked above.
    unsafe { dma_resv_unlock(resv) };
    result
}

/// The functions of the object behind a buffer.
///
/// # Safety
///
/// `buf` is valid, and was exported from an object.
unsafe fn funcs<'a>(buf: *mut dma_buf) -> &'a drm_gem_object_funcs {
    // SAFETY: `buf` is valid.
    let obj = unsafe { (*buf).priv_ };
    // SAFETY: The buffer has a reference to the object.
    let funcs = unsafe { (*obj).funcs };
    // SAFETY: Functions outlive the objects that use them.
    unsafe { &*funcs }
}

/// Shares an object with other drivers: `drm_gem_prime_export()`. Returns an error pointer without
/// memory, otherwise a buffer whose first reference the caller owns.
///
/// The buffer has a reference to the object, and one to its DRM device.
///
/// # Safety
///
/// `obj` points to an initialised object.
#[track_caller]
pub unsafe fn drm_gem_prime_export(obj: *mut drm_gem_object, _flags: c_int) -> *mut dma_buf {
    // SAFETY: `obj` is initialised.
    let gem = unsafe { Gem::new(obj) };
    let buf = kmalloc_obj(
        dma_buf {
            size: gem.size(),
            priv_: obj,
            resv: gem.resv(),
            ..dma_buf::default()
        },
        GFP_KERNEL,
    );
    if buf.is_null() {
        return err_ptr(code::ENOMEM);
    }

    // SAFETY: An initialised object belongs to a DRM device.
    unsafe { drm_dev_get(gem.dev()) };
    // SAFETY: `obj` is initialised.
    unsafe { drm_gem_object_get(obj) };
    buf
}

/// Takes a reference: `get_dma_buf()`.
///
/// # Safety
///
/// `buf` comes from [`drm_gem_prime_export`], and there is a reference to it.
#[track_caller]
pub unsafe fn get_dma_buf(buf: *mut dma_buf) {
    // SAFETY: There is a reference.
    unsafe { &(*buf).refcount }.inc(format_args!("dma-buf {buf:p}"));
}

/// Puts a reference, and releases the buffer with the last one: `dma_buf_put()`. May sleep.
///
/// An importer that is still attached then is a loud failure.
///
/// # Safety
///
/// `buf` comes from [`drm_gem_prime_export`], and the caller gives up a reference to it.
#[track_caller]
pub unsafe fn dma_buf_put(buf: *mut dma_buf) {
    // SAFETY: The caller has a reference.
    let is_last = unsafe { &(*buf).refcount }.dec_and_test(format_args!("dma-buf {buf:p}"));
    if !is_last {
        return;
    }

    report_afterwards(|| {
        // SAFETY: The last reference is gone, and the buffer is there until it is freed below.
        let obj = unsafe { (*buf).priv_ };
        // SAFETY: The buffer has a reference to the object.
        let dev = unsafe { (*obj).dev };

        // SAFETY: This is the buffer's reference to the object.
        unsafe { drm_gem_object_put(obj) };
        // SAFETY: This is the buffer's reference to the DRM device.
        unsafe { drm_dev_put(dev) };

        // SAFETY: The buffer is there until it is freed below.
        let left = unsafe { &(*buf).attachments }.load(Ordering::Relaxed);
        if left != 0 {
            warn(format!(
                "WARN_ON(!list_empty(&dmabuf->attachments)): dma-buf {buf:p} has {left}"
            ));
        }
        // SAFETY: `drm_gem_prime_export()` has allocated it, and nobody uses it any more.
        unsafe { kfree_obj(buf) };
    });
}

/// Waits until the files are released that kernel threads have put: `flush_delayed_fput()`. Here
/// they are released at once.
///
/// # Safety
///
/// There are no requirements.
pub unsafe fn flush_delayed_fput() {}

/// Attaches a device to a buffer, and pins the exported object: `dma_buf_attach()`, and
/// `drm_gem_map_attach()` as its callback. May sleep.
///
/// Returns an error pointer: `-ENOMEM`, `-ENOSYS` if the object cannot make a table, or what pinning
/// it fails with.
///
/// # Safety
///
/// - `buf` comes from [`drm_gem_prime_export`], and outlives the attachment.
/// - `dev` points to a device that outlives the attachment.
#[track_caller]
pub unsafe fn dma_buf_attach(buf: *mut dma_buf, dev: *mut device) -> *mut dma_buf_attachment {
    let attach = kmalloc_obj(dma_buf_attachment { dmabuf: buf, dev }, GFP_KERNEL);
    if attach.is_null() {
        return err_ptr(code::ENOMEM);
    }

    let result = report_afterwards(|| {
        // SAFETY: The buffer was exported from an object.
        let funcs = unsafe { funcs(buf) };
        if funcs.get_sg_table.is_none() {
            return code::ENOSYS.to_errno();
        }
        // SAFETY: The buffer is valid.
        let obj = unsafe { (*buf).priv_ };
        // SAFETY: The object is initialised, its lock is held, and warnings are collected.
        let pin = || funcs.pin.map_or(0, |pin| unsafe { pin(obj) });
        // SAFETY: The buffer was exported from an object.
        unsafe { locked(buf, pin) }
    });
    if result != 0 {
        // SAFETY: Allocated above, and nobody has seen it.
        unsafe { kfree_obj(attach) };
        return err_ptr(Error::from_errno(result));
    }

    // SAFETY: The buffer is valid.
    unsafe { &(*buf).attachments }.fetch_add(1, Ordering::Relaxed);
    attach
}

/// Undoes [`dma_buf_attach`]: `dma_buf_detach()`. May sleep.
///
/// # Safety
///
/// `attach` comes from [`dma_buf_attach`] of `buf`, has nothing mapped, and is not used any more.
#[track_caller]
pub unsafe fn dma_buf_detach(buf: *mut dma_buf, attach: *mut dma_buf_attachment) {
    // SAFETY: The buffer is valid.
    unsafe { &(*buf).attachments }.fetch_sub(1, Ordering::Relaxed);

    report_afterwards(|| {
        // SAFETY: The buffer was exported from an object.
        let funcs = unsafe { funcs(buf) };
        // SAFETY: The buffer is valid.
        let obj = unsafe { (*buf).priv_ };
        if let Some(unpin) = funcs.unpin {
            // SAFETY: The object is initialised, its lock is held, and warnings are collected.
            let unpin = || unsafe { unpin(obj) };
            // SAFETY: The buffer was exported from an object.
            unsafe { locked(buf, unpin) };
        }
        // SAFETY: `dma_buf_attach()` has allocated it, and nobody uses it any more.
        unsafe { kfree_obj(attach) };
    });
}

/// Maps a buffer for an importer's device: `dma_buf_map_attachment_unlocked()`, and
/// `drm_gem_map_dma_buf()` as its callback. May sleep.
///
/// Returns an error pointer: what making the table or mapping it fails with.
///
/// # Safety
///
/// `attach` comes from [`dma_buf_attach`].
#[track_caller]
pub unsafe fn dma_buf_map_attachment_unlocked(
    attach: *mut dma_buf_attachment,
    dir: dma_data_direction,
) -> *mut sg_table {
    // SAFETY: The attachment is valid.
    let &dma_buf_attachment { dmabuf: buf, dev } = unsafe { &*attach };

    let map = || {
        // SAFETY: The buffer was exported from an object.
        let Some(get_sg_table) = (unsafe { funcs(buf) }).get_sg_table else {
            warn("WARN_ON(!obj->funcs->get_sg_table)");
            return err_ptr(code::ENOSYS);
        };
        // SAFETY: The buffer is valid.
        let obj = unsafe { (*buf).priv_ };
        // SAFETY: The object is initialised and pinned, and warnings are collected.
        let sgt = unsafe { get_sg_table(obj) };
        // SAFETY: There are no requirements.
        if unsafe { IS_ERR(sgt.cast_const().cast()) } {
            return sgt;
        }

        // SAFETY: The device outlives the attachment, and the table is new.
        let ret = unsafe { dma_map_sgtable(dev, sgt, dir, 0) };
        if ret != 0 {
            // SAFETY: The table is new, and nobody has seen it.
            unsafe { drm_gem_free_sg_table(sgt) };
            return err_ptr(Error::from_errno(ret));
        }

        // SAFETY: The buffer is valid.
        unsafe { &(*buf).mappings }.fetch_add(1, Ordering::Relaxed);
        sgt
    };
    // SAFETY: The buffer was exported from an object.
    report_afterwards(|| unsafe { locked(buf, map) })
}

/// Undoes [`dma_buf_map_attachment_unlocked`] with the same direction:
/// `dma_buf_unmap_attachment_unlocked()`, and `drm_gem_unmap_dma_buf()` as its callback. May sleep.
///
/// # Safety
///
/// `sgt` comes from [`dma_buf_map_attachment_unlocked`] of `attach`, and is not used any more.
#[track_caller]
pub unsafe fn dma_buf_unmap_attachment_unlocked(
    attach: *mut dma_buf_attachment,
    sgt: *mut sg_table,
    dir: dma_data_direction,
) {
    // SAFETY: The attachment is valid.
    let &dma_buf_attachment { dmabuf: buf, dev } = unsafe { &*attach };

    let unmap = || {
        // SAFETY: The device outlives the attachment, and the table was mapped for it.
        unsafe { dma_unmap_sgtable(dev, sgt, dir, 0) };
        // SAFETY: The object has made the table, and nobody uses it any more.
        unsafe { drm_gem_free_sg_table(sgt) };
        // SAFETY: The buffer is valid.
        unsafe { &(*buf).mappings }.fetch_sub(1, Ordering::Relaxed);
    };
    // SAFETY: The buffer was exported from an object.
    report_afterwards(|| unsafe { locked(buf, unmap) });
}

/// Maps a buffer into kernel address space, or adds a use of that mapping: `dma_buf_vmap()`, and
/// `drm_gem_vmap_locked()` as its callback. May sleep.
///
/// Returns 0 and writes to `map`; or what the exporter's `vmap` fails with; or `-EINVAL` if there is
/// no object behind the buffer, and `-EOPNOTSUPP` if the object cannot be mapped.
///
/// # Safety
///
/// - `buf` is valid, and this thread holds its reservation lock.
/// - `map` is valid for writing.
#[track_caller]
pub unsafe fn dma_buf_vmap(buf: *mut dma_buf, map: *mut iosys_map) -> c_int {
    // SAFETY: `buf` is valid.
    let this = unsafe { &*buf };
    if this.priv_.is_null() {
        return code::EINVAL.to_errno();
    }
    // SAFETY: An exported object has a valid reservation object.
    unsafe { dma_resv_assert_held(this.resv, format_args!("dma_buf_vmap(), dma-buf {buf:p}")) };

    if this.vmapping_counter.load(Ordering::Relaxed) == 0 {
        let result = report_afterwards(|| {
            // SAFETY: The buffer was exported from an object.
            let Some(vmap) = (unsafe { funcs(buf) }).vmap else {
                return code::EOPNOTSUPP.to_errno();
            };
            // SAFETY: The object is initialised, its lock is held, `map` is valid, and warnings are
            // collected.
            unsafe { vmap(this.priv_, map) }
        });
        if result != 0 {
            return result;
        }
        // SAFETY: The function has succeeded, so it has written to `map`.
        let vaddr = unsafe { &*map }.vaddr();
        this.vmap_ptr.store(vaddr, Ordering::Relaxed);
    }
    this.vmapping_counter.fetch_add(1, Ordering::Relaxed);

    let vaddr = this.vmap_ptr.load(Ordering::Relaxed);
    // SAFETY: `map` is valid for writing.
    unsafe { map.write(iosys_map::new(vaddr)) };
    0
}

/// Ends a use of the mapping in kernel address space: `dma_buf_vunmap()`, and
/// `drm_gem_vunmap_locked()` as its callback. May sleep.
///
/// A buffer that is not mapped, and a mapping of something else, are loud failures.
///
/// # Safety
///
/// - `buf` is valid, and this thread holds its reservation lock.
/// - `map` is valid, and the caller does not use the mapping any more.
#[track_caller]
pub unsafe fn dma_buf_vunmap(buf: *mut dma_buf, map: *mut iosys_map) {
    // SAFETY: `buf` is valid.
    let this = unsafe { &*buf };
    // SAFETY: `map` is valid.
    let ended = unsafe { &*map }.vaddr();
    let uses = this.vmapping_counter.load(Ordering::Relaxed);
    let vaddr = this.vmap_ptr.load(Ordering::Relaxed);
    if uses == 0 || vaddr != ended {
        warn(format!(
            "BUG_ON(): dma-buf {buf:p} has {uses} mappings at {vaddr:p}, and one at {ended:p} ends"
        ));
        return;
    }
    // SAFETY: An exported object has a valid reservation object.
    unsafe { dma_resv_assert_held(this.resv, format_args!("dma_buf_vunmap(), dma-buf {buf:p}")) };

    this.vmapping_counter.store(uses - 1, Ordering::Relaxed);
    if uses == 1 {
        this.vmap_ptr.store(ptr::null_mut(), Ordering::Relaxed);
        report_afterwards(|| {
            // SAFETY: The buffer was exported from an object.
            if let Some(vunmap) = unsafe { funcs(buf) }.vunmap {
                // SAFETY: The object is initialised, its lock is held, the mapping is not used any
                // more, and warnings are collected.
                unsafe { vunmap(this.priv_, map) };
            }
        });
    }
}

/// Lets go of an imported buffer: `drm_prime_gem_destroy()` of `drm_prime.c`. Unmaps the table, if
/// there is one, detaches, and puts the importer's reference to the buffer. May sleep.
///
/// # Safety
///
/// - `attach` comes from [`dma_buf_attach`], and `sgt` is null or its table. Neither is used again.
/// - The caller gives up a reference to the buffer.
#[track_caller]
pub(crate) unsafe fn drm_prime_gem_destroy(attach: *mut dma_buf_attachment, sgt: *mut sg_table) {
    // SAFETY: The attachment is valid.
    let buf = unsafe { (*attach).dmabuf };

    report_afterwards(|| {
        if !sgt.is_null() {
            let both = dma_data_direction::DMA_BIDIRECTIONAL;
            // SAFETY: The table is that of the attachment, and nobody uses it any more.
            unsafe { dma_buf_unmap_attachment_unlocked(attach, sgt, both) };
        }
        // SAFETY: Nothing is mapped any more, and nobody uses the attachment.
        unsafe { dma_buf_detach(buf, attach) };
        // SAFETY: The caller gives up a reference.
        unsafe { dma_buf_put(buf) };
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bindings::{
            __drm_dev_alloc, collect_warnings, drm_device, drm_driver, drm_gem_shmem_create,
            drm_gem_shmem_object, drm_gem_shmem_unpin_locked, PAGE_SIZE,
        },
        error::{from_err_ptr, to_result, Result},
        testing::{fail_nth, ledger, TestDevice},
    };

    const BOTH: dma_data_direction = dma_data_direction::DMA_BIDIRECTIONAL;

    static DRIVER: drm_driver = drm_driver::new();

    /// A shmem object of two pages, and its DRM device.
    struct Exporter {
        drm: *mut drm_device,
        shmem: *mut drm_gem_shmem_object,
    }

    impl Exporter {
        fn new(dev: &TestDevice) -> Self {
            let parent = dev.device();
            let size = size_of::<drm_device>();
            // SAFETY: The device is alive, and the driver is a static.
            let drm = unsafe { __drm_dev_alloc(parent.as_raw(), &DRIVER, size, 0) };
            let drm = from_err_ptr(drm.cast()).unwrap();
            // SAFETY: The DRM device is alive.
            let shmem = unsafe { drm_gem_shmem_create(drm, 2 * PAGE_SIZE) };

            Self {
                drm,
                shmem: from_err_ptr(shmem).unwrap(),
            }
        }

        fn obj(&self) -> *mut drm_gem_object {
            self.shmem.cast()
        }

        fn export(&self) -> *mut dma_buf {
            // SAFETY: The object is initialised.
            from_err_ptr(unsafe { drm_gem_prime_export(self.obj(), 0) }).unwrap()
        }

        /// References to the DRM device and to the object, and uses and pins of the pages.
        fn counts(&self) -> [i32; 4] {
            // SAFETY: The DRM device is alive.
            let drm = unsafe { &*self.drm };
            // SAFETY: The object is alive.
            let shmem = unsafe { &*self.shmem };

            [
                &drm.ref_.refcount,
                &shmem.base.refcount.refcount,
                &shmem.pages_use_count,
                &shmem.pages_pin_count,
            ]
            .map(refcount_t::read)
        }

        fn put(self) {
            // SAFETY: This is the reference of `new()`.
            unsafe { drm_gem_object_put(self.obj()) };
            // SAFETY: This is the reference of `new()`.
            unsafe { drm_dev_put(self.drm) };
        }
    }

    fn attach(buf: *mut dma_buf, dev: &TestDevice) -> Result<*mut dma_buf_attachment> {
        // SAFETY: Both are alive.
        from_err_ptr(unsafe { dma_buf_attach(buf, dev.device().as_raw()) })
    }

    fn map(attach: *mut dma_buf_attachment) -> Result<*mut sg_table> {
        // SAFETY: It is attached.
        from_err_ptr(unsafe { dma_buf_map_attachment_unlocked(attach, BOTH) })
    }

    fn unmap(attach: *mut dma_buf_attachment, sgt: *mut sg_table) {
        // SAFETY: It is mapped.
        unsafe { dma_buf_unmap_attachment_unlocked(attach, sgt, BOTH) };
    }

    fn detach(buf: *mut dma_buf, attach: *mut dma_buf_attachment) {
        // SAFETY: It is attached.
        unsafe { dma_buf_detach(buf, attach) };
    }

    fn put(buf: *mut dma_buf) {
        // SAFETY: Tests have one reference.
        unsafe { dma_buf_put(buf) };
    }

    #[test]
    fn a_buffer_holds_its_object_and_an_attachment_pins_it() {
        let gpu = TestDevice::new(c"gpu0").unwrap();
        let display = TestDevice::new(c"display0").unwrap();
        let exporter = Exporter::new(&gpu);
        assert_eq!(exporter.counts(), [1, 1, 0, 0]);

        let buf = exporter.export();
        assert_eq!(exporter.counts(), [2, 2, 0, 0]);
        let attachment = attach(buf, &display).unwrap();
        assert_eq!(exporter.counts(), [2, 2, 1, 1]);
        let sgt = map(attachment).unwrap();
        assert_eq!(exporter.counts(), [2, 2, 1, 1]);
        assert_eq!(ledger(&display.device()).bytes, 2 * PAGE_SIZE as u64);
        assert_eq!(ledger(&gpu.device()).mapped, 0);

        unmap(attachment, sgt);
        assert_eq!(ledger(&display.device()).live, 0);
        detach(buf, attachment);
        assert_eq!(exporter.counts(), [2, 2, 0, 0]);
        put(buf);
        assert_eq!(exporter.counts(), [1, 1, 0, 0]);
        exporter.put();
    }

    #[test]
    fn a_failure_leaves_nothing() {
        let gpu = TestDevice::new(c"gpu0").unwrap();
        let display = TestDevice::new(c"display0").unwrap();
        let exporter = Exporter::new(&gpu);

        let fault = fail_nth(1);
        // SAFETY: The object is initialised.
        let failed = from_err_ptr(unsafe { drm_gem_prime_export(exporter.obj(), 0) });
        drop(fault);
        assert_eq!(failed.err(), Some(code::ENOMEM));
        assert_eq!(exporter.counts(), [1, 1, 0, 0]);

        // The attachment, the list of pages, and the pages; then the table and its entries.
        let buf = exporter.export();
        for (steps, what) in [(3, "attach"), (2, "map")] {
            let attached = (what == "map").then(|| attach(buf, &display).unwrap());
            let before = exporter.counts();
            for nth in 1..=steps {
                let fault = fail_nth(nth);
                let error = match attached {
                    Some(attached) => map(attached).err(),
                    None => attach(buf, &display).err(),
                };
                assert!(fault.tripped(), "{what}, {nth}");
                assert_eq!(error, Some(code::ENOMEM), "{what}, {nth}");
                assert_eq!(exporter.counts(), before, "{what}, {nth}");
            }
            if let Some(attached) = attached {
                display.set_dma_mask(24);
                let (failed, warnings) = collect_warnings(|| map(attached));
                assert_eq!(failed.err(), Some(code::EIO));
                assert_eq!(warnings.len(), 1, "{warnings:?}");
                assert_eq!(exporter.counts(), before);
                detach(buf, attached);
            }
        }
        assert_eq!(ledger(&display.device()).mapped, 0);
        put(buf);
        exporter.put();
    }

    /// Maps a buffer into kernel address space.
    fn vmap(buf: *mut dma_buf) -> Result<iosys_map> {
        let mut map = iosys_map::new(ptr::null_mut());
        // SAFETY: The buffer is alive, and its lock is held.
        let vmap = || unsafe { dma_buf_vmap(buf, &mut map) };
        // SAFETY: The buffer was exported from an object.
        let result = unsafe { locked(buf, vmap) };
        to_result(result).map(|()| map)
    }

    fn vunmap(buf: *mut dma_buf, mut map: iosys_map) {
        // SAFETY: The buffer is alive, its lock is held, and the mapping is not used again.
        let vunmap = || unsafe { dma_buf_vunmap(buf, &mut map) };
        // SAFETY: The buffer was exported from an object.
        unsafe { locked(buf, vunmap) };
    }

    #[test]
    fn a_buffer_is_mapped_for_the_kernel_once() {
        let gpu = TestDevice::new(c"gpu0").unwrap();
        let exporter = Exporter::new(&gpu);
        let buf = exporter.export();

        // The list of pages, and the pages.
        for nth in 1..=2 {
            let fault = fail_nth(nth);
            assert_eq!(vmap(buf).err(), Some(code::ENOMEM), "{nth}");
            assert!(fault.tripped(), "{nth}");
            assert_eq!(exporter.counts(), [2, 2, 0, 0], "{nth}");
        }

        let [one, other] = [(); 2].map(|()| vmap(buf).unwrap());
        let [first, second] = [one.vaddr(), other.vaddr()];
        assert_eq!(first, second);
        assert_eq!(exporter.counts(), [2, 2, 1, 1]);
        vunmap(buf, one);
        assert_eq!(exporter.counts(), [2, 2, 1, 1]);

        let elsewhere = iosys_map::new(first.wrapping_byte_add(1));
        let ((), warnings) = collect_warnings(|| vunmap(buf, elsewhere));
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with("BUG_ON(): dma-buf"), "{warnings:?}");
        vunmap(buf, other);
        assert_eq!(exporter.counts(), [2, 2, 0, 0]);
        let ((), warnings) = collect_warnings(|| vunmap(buf, other));
        assert_eq!(warnings.len(), 1, "{warnings:?}");

        put(buf);
        exporter.put();
    }

    #[test]
    fn an_object_that_makes_no_table_has_no_importers() {
        static FUNCS: drm_gem_object_funcs = drm_gem_object_funcs::new();

        let gpu = TestDevice::new(c"gpu0").unwrap();
        let exporter = Exporter::new(&gpu);
        // SAFETY: Only this thread uses the object.
        let funcs = unsafe { &mut (*exporter.shmem).base.funcs };
        let own = core::mem::replace(funcs, &FUNCS);

        let buf = exporter.export();
        assert_eq!(attach(buf, &gpu).err(), Some(code::ENOSYS));
        assert_eq!(vmap(buf).err(), Some(code::EOPNOTSUPP));
        assert_eq!(exporter.counts(), [2, 2, 0, 0]);
        put(buf);

        // SAFETY: Only this thread uses the object.
        unsafe { (*exporter.shmem).base.funcs = own };
        exporter.put();
    }

    #[test]
    fn an_attachment_that_is_left_is_loud() {
        let gpu = TestDevice::new(c"gpu0").unwrap();
        let exporter = Exporter::new(&gpu);
        let buf = exporter.export();
        let attachment = attach(buf, &gpu).unwrap();

        let ((), warnings) = collect_warnings(|| put(buf));
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with("WARN_ON(!list_empty(&dmabuf->attachments))"));

        // `dma_buf_detach()` would free the attachment if the buffer were still there.
        // SAFETY: Made by `dma_buf_attach()`, and not used after this.
        unsafe { kfree_obj(attachment) };
        // SAFETY: The object is pinned, and only this thread uses it.
        let resv = unsafe { (*exporter.shmem).base.resv };
        // SAFETY: The object is alive.
        unsafe { dma_resv_lock(resv, ptr::null_mut()) };
        // SAFETY: The object is alive, and its lock is held.
        unsafe { drm_gem_shmem_unpin_locked(exporter.shmem) };
        // SAFETY: The object is alive, and its lock is held.
        unsafe { dma_resv_unlock(resv) };
        exporter.put();
    }
}
