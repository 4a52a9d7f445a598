// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Two drivers share one buffer, by PRIME.
//!
//! What holds what, by `drivers/gpu/drm/drm_prime.c`:
//!
//! - the buffer (`struct dma_buf`) holds a reference to the exporter's object, and one to its DRM
//!   device, from `drm_gem_dmabuf_export()` to `drm_gem_dmabuf_release()`;
//! - an attachment pins the pages of that object, from `drm_gem_map_attach()` to
//!   `drm_gem_map_detach()`;
//! - the importer's table is a table of its own (`drm_gem_shmem_get_sg_table()`), and
//!   `drm_gem_map_dma_buf()` maps it for the *importer's* device.

use super::raw::{
    counts,
    object,
    pin,
    shmem,
    unpin,
    Gem,
    PAGES, //
};
use kernel::{
    bindings,
    device::Device,
    drm::gem::IntoGEMObject,
    error::{
        from_err_ptr,
        to_result, //
    },
    page::PAGE_SIZE,
    prelude::*,
    scatterlist::SGTable,
    sync::aref::ARef,
    testing::{
        self,
        TestDevice, //
    },
};
use std::sync::atomic::{
    AtomicU32,
    Ordering, //
};

/// An exported object that one importer is attached to, and has mapped.
struct Shared {
    /// The buffer's reference.
    exported: ARef<Gem>,
    /// The importer's device.
    importer: ARef<Device>,
    sgt: *mut bindings::sg_table,
    attach: *mut bindings::dma_buf_attachment,
}

impl Shared {
    /// Exports an object, attaches a device to the buffer, and maps it for that.
    fn new(exported: &ARef<Gem>, importer: ARef<Device>) -> Result<Self> {
        pin(exported)?;
        // SAFETY: The object is initialised, and its pages are pinned.
        let sgt = from_err_ptr(unsafe { bindings::drm_gem_shmem_get_sg_table(shmem(exported)) })?;
        // SAFETY: The device is alive, and the table new.
        to_result(unsafe {
            bindings::dma_map_sgtable(
                importer.as_raw(),
                sgt,
                bindings::dma_data_direction::DMA_BIDIRECTIONAL,
                0,
            )
        })?;
        let buf = Box::new(bindings::dma_buf {
            size: PAGES * PAGE_SIZE,
            attachments: AtomicU32::new(1),
            mappings: AtomicU32::new(1),
            ..bindings::dma_buf::default()
        });

        Ok(Self {
            exported: exported.clone(),
            importer,
            sgt,
            attach: Box::into_raw(Box::new(bindings::dma_buf_attachment {
                dmabuf: Box::into_raw(buf),
                ..bindings::dma_buf_attachment::default()
            })),
        })
    }

    /// Makes an object the importer's: what `drm_gem_shmem_prime_import_sg_table()` and
    /// `drm_gem_prime_import_dev()` set.
    fn import(&self, obj: &Gem) {
        // SAFETY: Only this thread uses the object, which is released before `self` ends.
        unsafe { (*shmem(obj)).sgt = self.sgt };
        // SAFETY: Only this thread uses the object, which is released before `self` ends.
        unsafe { (*obj.as_raw()).import_attach = self.attach };
    }

    /// Bytes that the importer's table has.
    fn bytes(&self) -> u64 {
        // SAFETY: The table is mapped until `self` ends, and does not change.
        let table = unsafe { SGTable::from_raw(self.sgt) };
        table.iter().map(|entry| entry.dma_len()).sum()
    }

    /// Ends it: `dma_buf_unmap_attachment()`, `dma_buf_detach()`, and the last `dma_buf_put()`.
    ///
    /// Returns attachments and mappings that the release of the importer's object has left.
    fn end(self) -> (u32, u32) {
        // SAFETY: Mapped like this, and nobody uses it any more.
        unsafe {
            bindings::dma_unmap_sgtable(
                self.importer.as_raw(),
                self.sgt,
                bindings::dma_data_direction::DMA_BIDIRECTIONAL,
                0,
            )
        };
        // SAFETY: Made by `new()`.
        unsafe { bindings::drm_gem_free_sg_table(self.sgt) };
        unpin(&self.exported);
        // SAFETY: Made by `new()`, and the object that used it was released.
        let attach = unsafe { Box::from_raw(self.attach) };
        // SAFETY: Made by `new()`, and nobody else refers to the buffer.
        let buf = unsafe { Box::from_raw(attach.dmabuf) };

        (
            buf.attachments.load(Ordering::Relaxed),
            buf.mappings.load(Ordering::Relaxed),
        )
    }
}

/// The exporter is unbound while an importer has the buffer mapped.
///
/// Right: the exporter's own table, which is mapped for the exporter's device, goes at unbind. The
/// pages stay, since the attachment pins them, and so does the importer's table. The exporter's
/// object and DRM device stay until the buffer goes, which is then the last holder of both. The
/// importer's object has the table of somebody else, before and after: `EOPNOTSUPP`, and its own
/// unbind unmaps nothing.
#[test]
fn exporter_unbound_before_importer() -> Result {
    let (mut gpu, mut display) = (TestDevice::new(c"gpu0")?, TestDevice::new(c"display0")?);
    let (gpu_below, display_below) = (gpu.device(), display.device());
    let live = || {
        (
            testing::ledger(&gpu_below).live,
            testing::ledger(&display_below).live,
        )
    };
    let (on_gpu, on_display) = (gpu.bind()?, display.bind()?);
    let (exported, gpu_drm) = object(&on_gpu)?;
    let (imported, display_drm) = object(&on_display)?;
    exported.sg_table(&on_gpu)?;
    let shared = Shared::new(&exported, display_below.clone())?;
    shared.import(&imported);
    assert_eq!(imported.sg_table(&on_display).err(), Some(EOPNOTSUPP));
    assert_eq!((live(), counts(&exported)), ((1, 1), (2, 1)));

    let ((), warnings) = testing::collect_warnings(|| {
        drop((exported, gpu_drm));
        on_gpu.unbind();
    });
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!((live(), counts(&shared.exported)), ((0, 1), (1, 1)));
    assert_eq!(shared.bytes(), (PAGES * PAGE_SIZE) as u64);
    assert_eq!(imported.sg_table(&on_display).err(), Some(EOPNOTSUPP));
    assert!(imported.sg_table_if_mapped(&on_display)?.is_none());

    // The importer's driver lets go of the import before it is unbound.
    let (left, warnings) = testing::collect_warnings(|| {
        drop((imported, display_drm));
        let left = shared.end();
        on_display.unbind();
        left
    });
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(left, (0, 0));
    assert_eq!(live(), (0, 0));
    Ok(())
}

/// The other order: the importer is unbound with its object still there.
///
/// Right: unbind unmaps nothing of an imported object, as the slot is empty, and the table stays
/// the exporter's to unmap. The exporter's own table is not touched.
#[test]
fn importer_unbound_before_exporter() -> Result {
    let (mut gpu, mut display) = (TestDevice::new(c"gpu0")?, TestDevice::new(c"display0")?);
    let display_below = display.device();
    let (on_gpu, on_display) = (gpu.bind()?, display.bind()?);
    let (exported, _gpu_drm) = object(&on_gpu)?;
    let (imported, _display_drm) = object(&on_display)?;
    let table = exported.sg_table(&on_gpu)?;
    let shared = Shared::new(&exported, display_below.clone())?;
    shared.import(&imported);
    assert_eq!(imported.sg_table(&on_display).err(), Some(EOPNOTSUPP));

    // `DMA_API_DEBUG` tells of the importer's mapping, which is the importing driver's to end.
    let ((), warnings) = testing::collect_warnings(|| on_display.unbind());
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(testing::ledger(&display_below).live, 1);
    assert_eq!(shared.bytes(), (PAGES * PAGE_SIZE) as u64);

    drop(imported);
    assert_eq!(shared.end(), (0, 0));
    assert_eq!(testing::ledger(&display_below).live, 0);
    let bytes: u64 = table.iter().map(|entry| entry.dma_len()).sum();
    assert_eq!(bytes, (PAGES * PAGE_SIZE) as u64);
    on_gpu.unbind();
    let ((), warnings) = testing::collect_warnings(|| drop(exported));
    assert!(warnings.is_empty(), "{warnings:?}");
    Ok(())
}
