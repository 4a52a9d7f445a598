// SPDX-License-Identifier: GPL-2.0

//! Buffers of one driver that another one imports: attached at once, mapped on first use.

use super::contract_kunit::{
    dma_len,
    page_uses,
    refs,
    DmaBuf,
    Gem,
    Gpu,
    SIZE, //
};
use crate::{
    bindings,
    devres::kunit_support::{
        dma_mappings,
        ensure,
        ensure_ok,
        skip,
        DmaDebugPause,
        FailNth, //
    },
    drm::gem::BaseObject,
    io::ResourceSize,
    prelude::*,
    sync::aref::ARef, //
};

/// Imports a buffer.
pub(super) fn import(gpu: &Gpu, buffer: &DmaBuf) -> Result<ARef<Gem>> {
    // SAFETY: The buffer is valid, and no test holds its lock here.
    unsafe { Gem::import(&gpu.drm, buffer.as_raw(), ()) }
}

/// Waits until all buffers that were put are released.
fn flush() {
    // SAFETY: This thread may sleep.
    unsafe { bindings::flush_delayed_fput() };
}

#[kunit_tests(rust_devres_lazy_import)]
mod tests {
    use super::*;

    /// From import to release, with an unbind of the importer in between.
    #[test]
    fn import_unbind_release() -> Result {
        let exporter = Gpu::new()?;
        let mut gpu = Gpu::new()?;
        let theirs = exporter.object()?;
        let buffer = DmaBuf::export(&theirs)?;
        let before = (refs(&theirs), dma_mappings());

        let obj = import(&gpu, &buffer)?;
        ensure!(obj.size() == SIZE, "{} bytes of {SIZE}", obj.size());
        ensure!(dma_mappings() == before.1, "mapped by the import");
        ensure!(
            page_uses(&theirs) == 1,
            "{} uses, attached",
            page_uses(&theirs)
        );

        let len = dma_len(ensure_ok!(obj.sg_table(gpu.bound()?), "the first access"));
        ensure!(
            len == SIZE as ResourceSize,
            "{len} bytes of {SIZE} are mapped"
        );
        gpu.dev.unbind();
        ensure!(dma_mappings() == before.1, "mapped after unbind");
        ensure!(
            page_uses(&theirs) == 1,
            "{} uses after unbind",
            page_uses(&theirs)
        );

        // The slot stays revoked, and the buffer can be imported again.
        gpu.rebind()?;
        let revoked = obj.sg_table(gpu.bound()?).map(drop);
        ensure!(revoked == Err(ENXIO), "after a rebind: {revoked:?}");
        let again = import(&gpu, &buffer)?;
        ensure_ok!(again.sg_table(gpu.bound()?), "the access after a rebind");

        // Releasing the objects unmaps, detaches and puts the last references to the buffer.
        drop(buffer);
        ensure!(
            refs(&theirs) == before.0,
            "{} references, {} before",
            refs(&theirs),
            before.0
        );
        drop((obj, again));
        flush();
        ensure!(refs(&theirs) == 1, "{} references", refs(&theirs));
        ensure!(page_uses(&theirs) == 0, "{} uses", page_uses(&theirs));
        ensure!(dma_mappings() == before.1, "mapped after the release");
        Ok(())
    }

    /// The exporter is unbound and drops its object and its DRM device before the importer maps the
    /// buffer. The exported buffer lives as long as the import.
    #[test]
    fn exporter_gone_before_first_access() -> Result {
        let mappings = dma_mappings();
        let gpu = Gpu::new()?;
        let mut exporter = Gpu::new()?;
        let theirs = exporter.object()?;
        ensure_ok!(theirs.sg_table(exporter.bound()?), "the exporter's access");
        let buffer = DmaBuf::export(&theirs)?;
        let obj = import(&gpu, &buffer)?;

        exporter.dev.unbind();
        drop((buffer, theirs, exporter));

        let len = dma_len(ensure_ok!(obj.sg_table(gpu.bound()?), "the first access"));
        ensure!(
            len == SIZE as ResourceSize,
            "{len} bytes of {SIZE} are mapped"
        );
        drop(obj);
        flush();
        ensure!(dma_mappings() == mappings, "mapped after the release");
        Ok(())
    }

    /// The importer is unbound while it has an import, and the import is released without a
    /// binding.
    #[test]
    fn importer_unbound_before_release() -> Result {
        let mappings = dma_mappings();
        let exporter = Gpu::new()?;
        let mut gpu = Gpu::new()?;
        let theirs = exporter.object()?;
        let buffer = DmaBuf::export(&theirs)?;
        let obj = import(&gpu, &buffer)?;
        ensure_ok!(obj.sg_table(gpu.bound()?), "the first access");

        gpu.dev.unbind();
        ensure!(dma_mappings() == mappings, "mapped after unbind");
        // An unbound device can be attached to a buffer as well: nothing is mapped.
        let late = import(&gpu, &buffer)?;
        ensure!(
            page_uses(&theirs) == 1,
            "{} uses, attached twice",
            page_uses(&theirs)
        );

        drop((obj, late, gpu, buffer));
        flush();
        ensure!(page_uses(&theirs) == 0, "{} uses", page_uses(&theirs));
        ensure!(refs(&theirs) == 1, "{} references", refs(&theirs));
        Ok(())
    }

    /// An import that fails leaves nothing behind: neither an attachment, nor a reference to the
    /// buffer or to the importer's DRM device.
    #[test]
    fn failing_import() -> Result {
        if !FailNth::AVAILABLE {
            return skip(c"needs CONFIG_FAILSLAB and CONFIG_FAULT_INJECTION_DEBUG_FS");
        }

        let exporter = Gpu::new()?;
        let gpu = Gpu::new()?;
        let theirs = exporter.object()?;
        let buffer = DmaBuf::export(&theirs)?;
        drop(import(&gpu, &buffer)?);
        let before = (refs(&theirs), gpu.drm_refs(), page_uses(&theirs));

        let _pause = DmaDebugPause::new();
        let mut failed = 0;
        for nth in 1.. {
            let fault = FailNth::new(nth)?;
            let result = import(&gpu, &buffer).map(drop);
            let tripped = fault.tripped();
            drop(fault);
            if !tripped {
                ensure_ok!(result, "without a fault");
                break;
            }

            if let Err(error) = result {
                ensure!(error == ENOMEM, "allocation {nth}: {error:?}");
                failed += 1;
            }
            let after = (refs(&theirs), gpu.drm_refs(), page_uses(&theirs));
            ensure!(
                after == before,
                "allocation {nth}: {before:?} before, {after:?} after"
            );
        }
        ensure!(failed > 1, "{failed} imports have failed");
        Ok(())
    }
}
