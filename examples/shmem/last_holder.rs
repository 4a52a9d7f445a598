// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The rows of the contract in which an object is the last holder of its DRM device.
//!
//! A `struct drm_gem_object` holds no reference to `obj->dev`. These functions of the C side read
//! it all the same: `__drm_gem_shmem_free_sgt_locked()` and `drm_gem_shmem_get_pages_sgt()`, which
//! map and unmap for `obj->dev->dev`, and `drm_gem_object_release()`, which removes the mmap offset
//! from a tree of the device. So does `dev()` of the object.

use super::{
    contract::{
        gpu,
        seen,
        show,
        tell,
        told,
        Fleet,
        Outcome,
        Shmem,
        Size, //
    },
    driver::Driver,
};
use kernel::{
    device::{
        Bound,
        Device, //
    },
    drm,
    prelude::*,
    sync::aref::ARef,
    testing, //
};

/// Creates one object, and the DRM device for it.
pub(crate) fn one<O: Shmem>(
    dev: &Device<Bound>,
    size: Size,
) -> Result<(ARef<O>, ARef<drm::Device<Driver>>)> {
    let mut fleet = Fleet::<O>::one(dev, size)?;

    Ok((fleet.objects.pop().ok_or(EINVAL)?, fleet.drm))
}

pub(crate) fn last_holder<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let (object, drm) = one::<O>(&bound, size)?;
    object.table(&bound)?;

    let ((), warnings) = testing::collect_warnings(|| {
        drop(drm);
        drop(object);
    });
    let ledger = testing::ledger(&bound);

    seen(
        format!("freed with {}", told(&warnings)),
        warnings.is_empty() && ledger.unmapped == 1,
        ledger,
    )
}

pub(crate) fn last_holder_after_unbind<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let (object, drm) = one::<O>(&bound, size)?;
    object.table(&bound)?;

    let ((), unbinding) = testing::collect_warnings(|| {
        drop(drm);
        bound.unbind();
    });
    let ((), freeing) = testing::collect_warnings(|| drop(object));
    let ledger = testing::ledger(&gpu.device());

    seen(
        format!(
            "unbound with {}, freed with {}",
            told(&unbinding),
            told(&freeing)
        ),
        unbinding.is_empty() && freeing.is_empty() && ledger.unmapped == 1,
        ledger,
    )
}

pub(crate) fn last_holder_access<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let (object, drm) = one::<O>(&bound, size)?;

    let (results, warnings) = testing::collect_warnings(|| {
        drop(drm);
        let results = [0; 2].map(|_| tell(object.table(&bound)));
        drop(object);
        results
    });

    seen(
        format!("{}, with {}", results.join(", "), told(&warnings)),
        results == ["Ok", "Ok"] && warnings.is_empty(),
        testing::ledger(&bound),
    )
}

pub(crate) fn last_holder_peek<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let (object, drm) = one::<O>(&bound, size)?;

    let ((empty, mapped), warnings) = testing::collect_warnings(|| {
        drop(drm);
        let empty = object.peek(&bound);
        let table = tell(object.table(&bound));
        let mapped = object.peek(&bound);
        drop(object);
        (empty, mapped.filter(|_| table == "Ok"))
    });
    if empty.is_none() {
        return Ok(Outcome::NotOffered);
    }

    seen(
        format!(
            "empty: {}; mapped: {}; with {}",
            show(&empty),
            show(&mapped),
            told(&warnings)
        ),
        empty == Some(Ok(false)) && mapped == Some(Ok(true)) && warnings.is_empty(),
        testing::ledger(&bound),
    )
}

/// `drm::driver::Registration` of Linux 7.3, with an object for registration data. Its fields are
/// dropped in the order in which the kernel declares them: the device before the data.
struct Registration<O: Shmem> {
    _drm: ARef<drm::Device<Driver>>,
    _reg_data: ARef<O>,
}

pub(crate) fn registration_data<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let (object, drm) = one::<O>(&bound, size)?;
    object.table(&bound)?;
    let registration = Registration {
        _drm: drm,
        _reg_data: object,
    };

    // The driver's data, which the registration is part of, goes before devres releases anything:
    // `post_unbind_rust()` in `drivers/base/dd.c`.
    let ((), warnings) = testing::collect_warnings(|| {
        drop(registration);
        bound.unbind();
    });
    let ledger = testing::ledger(&gpu.device());

    seen(
        format!("unbound with {}", told(&warnings)),
        warnings.is_empty() && ledger.unmapped == 1,
        ledger,
    )
}
