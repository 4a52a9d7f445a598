// SPDX-License-Identifier: GPL-2.0

//! An object by hand that is freed after its DRM device, under KASAN.

use super::contract_kunit::Gpu;
use crate::{
    devres::kunit_support::{
        ensure,
        ensure_ok, //
    },
    prelude::*, //
};

// A separate suite, to be run alone: KASAN reports once.
#[kunit_tests(rust_lazy_kasan)]
mod tests {
    use super::*;

    /// As `last_holder_after_unbind` of the contract, but the object is freed, and its release
    /// reads the DRM device. No code here is unsafe.
    #[test]
    fn free_after_drm_device() -> Result {
        let mut gpu = Gpu::new()?;
        let refs = gpu.drm_refs();
        let obj = gpu.object()?;
        let has_reference = gpu.drm_refs() > refs;
        ensure_ok!(obj.sg_table(gpu.bound()?), "the first access");
        gpu.dev.unbind();

        drop(gpu.drm);
        drop(obj);
        ensure!(
            has_reference,
            "the object has no reference to its DRM device"
        );
        Ok(())
    }
}
