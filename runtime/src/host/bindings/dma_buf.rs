// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Buffers that drivers share with each other, as in `drivers/dma-buf/dma-buf.c` and
//! `drivers/gpu/drm/drm_prime.c`.
//!
//! Every exporter is a GEM object, so that the callbacks of [`dma_buf`] are called directly. A
//! buffer is released by whoever puts the last reference, where a kernel thread leaves that to a
//! worker. File descriptors and fences are not modelled.

use super::{
    device,
    dma_data_direction,
    dma_map_sgtable,
    dma_resv,
    dma_resv_lock,
    dma_resv_unlock,
    dma_unmap_sgtable,
    drm_dev_get,
    drm_dev_put,
    drm_gem_free_sg_table,
    drm_gem_object,
    drm_gem_object_funcs,
    drm_gem_object_get,
    drm_gem_object_put,
    kfree_obj,
    kmalloc_obj,
    refcount_t,
    report_afterwards,
    sg_table,
    warn,
    Gem,
    ERR_PTR,
    GFP_KERNEL,
    IS_ERR, //
};
use crate::error::{
    code,
    Error, //
};
use core::{
    ffi::{
        c_int,
        c_long, //
    },
    ptr,
    sync::atomic::{
        AtomicU32,
        Ordering, //
    },
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

/// Lets go of an imported buffer: `drm_prime_gem_destroy()` of `drm_prime.c`. The table, if there
/// is one, stays the exporter's.
pub(crate) fn drm_prime_gem_destroy(attach: &dma_buf_attachment, sgt: *mut sg_table) {
    // SAFETY: An attachment is to a live buffer.
    let buf = unsafe { &*attach.dmabuf };

    if !sgt.is_null() {
        buf.mappings.fetch_sub(1, Ordering::Relaxed);
    }
    buf.attachments.fetch_sub(1, Ordering::Relaxed);
}
