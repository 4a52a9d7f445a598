// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The rows of the contract about what an object refers to, and who refers to it: its DRM device,
//! the exporter of an imported object, and the mapping, which refers to the object itself.

use super::{
    contract::{
        gpu,
        seen,
        tell,
        Fleet,
        Outcome,
        Shmem,
        Size, //
    },
    driver::Driver,
    last_holder::one,
};
use kernel::{
    bindings,
    drm,
    prelude::*,
    testing, //
};
use std::ptr;

/// References to a DRM device.
fn drm_refs(drm: &drm::Device<Driver>) -> i32 {
    // SAFETY: `drm` is a reference to it.
    unsafe { (*drm.as_raw()).ref_.refcount.read() }
}

/// References to an object.
fn refs<O: Shmem>(object: &O) -> i32 {
    // SAFETY: The object is initialised.
    unsafe { (*object.as_raw()).refcount.refcount.read() }
}

pub(crate) fn object_outlives_drm_device<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let (object, drm) = one::<O>(&bound, size)?;
    let created = drm_refs(&drm);
    object.table(&bound)?;
    let mapped = drm_refs(&drm);
    bound.unbind();
    drop(object);
    let freed = drm_refs(&drm);

    seen(
        format!("{created} references with an object, {mapped} while mapped, {freed} in the end"),
        [created, mapped, freed] == [2, 2, 1],
        testing::ledger(&gpu.device()),
    )
}

pub(crate) fn owner_is_held_weakly<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let object = Fleet::<O>::one(&bound, size)?;

    let before = refs(&*object);
    object.table(&bound)?;
    let mapped = refs(&*object);
    bound.unbind();
    let unbound = refs(&*object);

    seen(
        format!("{before} references, {mapped} while mapped, {unbound} after unbind"),
        [before, mapped, unbound] == [1; 3],
        testing::ledger(&gpu.device()),
    )
}

pub(crate) fn imported_object<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let object = Fleet::<O>::one(&bound, size)?;

    // What makes an object an imported one.
    let mut buffer = bindings::dma_buf::default();
    let mut attachment = bindings::dma_buf_attachment {
        dmabuf: &mut buffer,
        ..bindings::dma_buf_attachment::default()
    };
    let imported = |attachment: *mut bindings::dma_buf_attachment| {
        // SAFETY: The object is initialised, and only this thread uses it.
        unsafe { (*object.as_raw()).import_attach = attachment };
    };

    imported(&mut attachment);
    let (refused, warnings) = testing::collect_warnings(|| tell(object.table(&bound)));
    let mapped = testing::ledger(&bound).mapped;
    imported(ptr::null_mut());
    let own = tell(object.table(&bound));

    seen(
        format!(
            "{refused}, {mapped} mappings, {} warnings; then {own}",
            warnings.len()
        ),
        refused != "Ok" && mapped == 0 && warnings.is_empty() && own == "Ok",
        testing::ledger(&bound),
    )
}
