// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Purging: `drm_gem_shmem_purge_locked()`, which is exported, and frees the table of an object,
//! even while the table is used.
//!
//! An object may be purged while `drm_gem_shmem_is_purgeable()` says so: it is advised
//! (`madv > 0`), not pinned, has a table, and is neither exported nor imported. **A table that a
//! slot has returned does not prevent a purge.** In Linux 7.3 one shrinker purges, that of
//! panfrost, and only objects of panfrost's own. The marker of the table relies on it (S3): nobody
//! advises or purges an `Object`.

use super::{
    raw::{counts, object, shmem, Gem},
    resv::DmaResvGuard,
};
use kernel::{
    bindings,
    prelude::*,
    sync::aref::ARef,
    testing::{self, TestDevice},
};
use std::ptr;

/// Advises that an object may be purged. Returns whether it may be then.
fn advise(obj: &Gem) -> bool {
    let _resv = DmaResvGuard::new(obj);
    // SAFETY: The object is initialised, and its reservation lock is held.
    unsafe { bindings::drm_gem_shmem_madvise_locked(shmem(obj), 1) };

    // SAFETY: The object is initialised, and its reservation lock is held.
    unsafe { bindings::drm_gem_shmem_is_purgeable(shmem(obj)) }
}

/// Purges an object, as a shrinker does.
fn purge(obj: &Gem) {
    let _resv = DmaResvGuard::new(obj);
    // SAFETY: The object is initialised, and its reservation lock is held. Some callers have the
    // table mapped; the model keeps its memory then.
    unsafe { bindings::drm_gem_shmem_purge_locked(shmem(obj)) };
}

/// Wrong, and reported: the slot still returns the table, and later unmaps a mapping that is gone.
/// In the kernel, the first is a use after free, and the second follows a null pointer in
/// `__drm_gem_shmem_free_sgt_locked()`.
#[test]
fn a_purge_under_a_mapping_is_reported() -> Result {
    for is_unbound in [true, false] {
        let mut gpu = TestDevice::new(c"gpu0")?;
        let bound = gpu.bind()?;
        let (obj, _drm) = object(&bound)?;
        let table = obj.sg_table(&bound)?;
        assert!(advise(&obj));
        purge(&obj);

        let (entries, warnings) = testing::collect_warnings(|| table.iter().count());
        assert_eq!(entries, 0);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with("BUG: use after free in SGTable::iter()"));

        let ((), warnings) = testing::collect_warnings(|| {
            if is_unbound {
                bound.unbind();
                drop(obj);
            } else {
                drop(obj);
                bound.unbind();
            }
        });
        assert!(
            warnings[0].starts_with("BUG: null pointer followed in __drm_gem_shmem_free_sgt"),
            "{warnings:?}"
        );
        assert!(warnings[0].contains("was purged"), "{warnings:?}");
        // Nor are there pages left whose use could be put.
        assert!(
            warnings[1].starts_with("refcount_t: underflow"),
            "{warnings:?}"
        );
    }
    Ok(())
}

/// Right: the mapping ends first. Then there is no table, and `drm_gem_shmem_is_purgeable()` says
/// no. `drm_gem_shmem_purge_locked()` would warn, and follow a null pointer.
#[test]
fn what_a_slot_has_unmapped_is_not_purgeable() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let (obj, _drm) = object(&bound)?;
    obj.sg_table(&bound)?;
    assert!(advise(&obj));

    let raw = ARef::into_raw(obj);
    // SAFETY: This was the only reference, and nobody else has a pointer to the object.
    let exclusive = unsafe { &mut *raw.as_ptr() };
    // SAFETY: GEM objects are pinned.
    unsafe { Pin::new_unchecked(exclusive) }.unmap_sg_table();
    // SAFETY: The reference that `into_raw()` returned.
    let obj = unsafe { ARef::from_raw(raw) };

    assert!(!advise(&obj));
    assert_eq!(counts(&obj), (0, 0));
    let ((), warnings) = testing::collect_warnings(|| purge(&obj));
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].starts_with("drm_WARN_ON(!drm_gem_shmem_is_purgeable(shmem))"));
    assert!(warnings[1].starts_with("BUG: null pointer followed in drm_gem_shmem_purge_locked()"));

    // Nothing was purged, and the next access maps again.
    obj.sg_table(&bound)?;
    assert_eq!(counts(&obj), (1, 0));
    Ok(())
}

/// Right: an object without anything mapped, and one whose pages were purged, are mapped like any
/// other. `drm_gem_shmem_get_pages_sgt_locked()` does not look at `madv`.
#[test]
fn what_was_purged_is_mapped_again() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let (obj, _drm) = object(&bound)?;

    // SAFETY: The object is initialised.
    let sgt = unsafe { bindings::drm_gem_shmem_get_pages_sgt(shmem(&obj)) };
    assert!(advise(&obj));
    purge(&obj);
    assert!(obj.sg_table_if_mapped(&bound)?.is_none());

    let table = obj.sg_table(&bound)?;
    assert!(!ptr::eq(table, sgt.cast()));
    assert_ne!(table.iter().count(), 0);
    bound.unbind();
    let ((), warnings) = testing::collect_warnings(|| drop(obj));
    assert!(warnings.is_empty(), "{warnings:?}");
    Ok(())
}
