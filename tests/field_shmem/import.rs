// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Two drivers share one buffer, by PRIME.
//!
//! The references, by `drivers/gpu/drm/drm_prime.c`:
//!
//! - the buffer (`struct dma_buf`) holds a reference to the exporter's object, and one to its DRM
//!   device, from `drm_gem_dmabuf_export()` to `drm_gem_dmabuf_release()`;
//! - the importer's object holds an attachment and a reference to the buffer until it is released;
//! - an attachment pins the pages of the exporter's object, from `drm_gem_map_attach()` to
//!   `drm_gem_map_detach()`;
//! - the importer's table is a table of its own (`drm_gem_shmem_get_sg_table()`), and
//!   `drm_gem_map_dma_buf()` maps it for the *importer's* device. It is there from the first access
//!   to unbind, or to the release.

use super::raw::{counts, object, Gem, PAGES};
use kernel::{
    bindings,
    device::Device,
    drm::gem::IntoGEMObject,
    error::from_err_ptr,
    page::PAGE_SIZE,
    prelude::*,
    scatterlist::SGTable,
    testing::{self, TestDevice},
};

/// Bytes of a table.
fn bytes(table: &SGTable) -> usize {
    let bytes: u64 = table.iter().map(|entry| entry.dma_len()).sum();
    usize::try_from(bytes).unwrap()
}

/// Makes `obj`, of a driver of `dev`, an import of `exported`.
fn import(obj: &Gem, exported: &Gem, dev: &Device) -> Result {
    // SAFETY: The object is initialised.
    let buf = from_err_ptr(unsafe { bindings::drm_gem_prime_export(exported.as_raw(), 0) })?;
    // SAFETY: The buffer is new, and the object's DRM device keeps `dev`.
    let attach = from_err_ptr(unsafe { bindings::dma_buf_attach(buf, dev.as_raw()) })?;

    // The release of the object detaches, and puts the buffer.
    // SAFETY: Only this thread uses the object.
    unsafe { (*obj.as_raw()).import_attach = attach };
    // SAFETY: The buffer is valid.
    let resv = unsafe { (*buf).resv };
    // SAFETY: Only this thread uses the object.
    unsafe { (*obj.as_raw()).resv = resv };
    Ok(())
}

/// The exporter is unbound while an importer has the buffer mapped.
///
/// Right: the exporter's own table, which is mapped for the exporter's device, goes at unbind. The
/// pages stay, since the attachment pins them, and so does the importer's table. The exporter's
/// object and DRM device stay until the importer's object is released, which is then the last holder
/// of the buffer.
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
    import(&imported, &exported, &display_below)?;
    assert_eq!((live(), counts(&exported)), ((1, 0), (2, 1)));
    let table = imported.sg_table(&on_display)?;
    assert_eq!((live(), counts(&exported)), ((1, 1), (2, 1)));
    assert_eq!(counts(&imported), (0, 0));

    let ((), warnings) = testing::collect_warnings(|| {
        drop((exported, gpu_drm));
        on_gpu.unbind();
    });
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(live(), (0, 1));
    assert_eq!(bytes(table), PAGES * PAGE_SIZE);

    let ((), warnings) = testing::collect_warnings(|| drop((imported, display_drm)));
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(live(), (0, 0));
    let ((), warnings) = testing::collect_warnings(|| on_display.unbind());
    assert!(warnings.is_empty(), "{warnings:?}");
    Ok(())
}

/// The other order: the importer is unbound with its object still there.
///
/// Right: unbind unmaps the importer's table, and nothing of the exporter's. The attachment stays
/// until the importer's object is released.
#[test]
fn importer_unbound_before_exporter() -> Result {
    let (mut gpu, mut display) = (TestDevice::new(c"gpu0")?, TestDevice::new(c"display0")?);
    let display_below = display.device();
    let (on_gpu, on_display) = (gpu.bind()?, display.bind()?);
    let (exported, _gpu_drm) = object(&on_gpu)?;
    let (imported, _display_drm) = object(&on_display)?;
    let table = exported.sg_table(&on_gpu)?;
    import(&imported, &exported, &display_below)?;
    imported.sg_table(&on_display)?;

    let ((), warnings) = testing::collect_warnings(|| on_display.unbind());
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(testing::ledger(&display_below).live, 0);
    assert_eq!(counts(&exported), (2, 1));
    assert_eq!(bytes(table), PAGES * PAGE_SIZE);

    let ((), warnings) = testing::collect_warnings(|| drop(imported));
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(counts(&exported), (1, 0));
    assert_eq!(bytes(table), PAGES * PAGE_SIZE);

    on_gpu.unbind();
    let ((), warnings) = testing::collect_warnings(|| drop(exported));
    assert!(warnings.is_empty(), "{warnings:?}");
    Ok(())
}
