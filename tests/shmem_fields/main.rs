// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Two lazy fields in one shmem object: the scatter-gather table, and a kernel mapping that is kept.
//!
//! The scenarios are those of the suite `rust_devres_lazy_vmap` in the kernel, by the same names.
//! Each is run on the object as it should be, and on objects that are broken in one way each, which
//! it has to catch. Where none are named, what can go wrong is the slot's doing and not the
//! object's: `tests/protocol` has the broken slots.

#[path = "../../examples/shmem/driver.rs"]
#[allow(dead_code, reason = "the data of its devices is not used here")]
mod driver;
mod fault;
mod locks;
mod object;
#[path = "../../examples/shmem/resv.rs"]
mod resv;
#[path = "../support/scenario.rs"]
mod scenario;
mod scenarios;

use scenario::{
    caught,
    holds, //
};

/// A test for one scenario, with the faults that it has to catch.
macro_rules! scenarios {
    ($(
        $(#[$attr:meta])*
        $scenario:ident $(catches $($fault:ident),+)?;
    )*) => {
        $(
            $(#[$attr])*
            #[test]
            fn $scenario() {
                holds::<fault::None>(scenarios::$scenario::<fault::None>);
                $($(caught::<fault::$fault>(scenarios::$scenario::<fault::$fault>);)+)?
            }
        )*
    };
}

scenarios! {
    /// Populated, right device: the same memory, and it is what everybody else sees.
    success_path catches Short, NoLock;

    /// Any device but the owner's: `EINVAL`, before anything is mapped.
    wrong_device;

    /// Empty, right device: mapped once, racing callers get the same memory.
    racing_first_access;

    /// Mapping fails for want of memory: the slot stays empty and balanced.
    failing_allocation catches Unbalanced;

    /// Device unbound: unmapped before unbind returns, the object stays usable.
    unbind catches KeepsMapping, KeepsPages, NoLock;

    /// Same device bound again: `ENXIO`.
    rebind catches KeepsMapping;

    /// Owner freed first: unmapped before that returns.
    free_before_unbind catches KeepsMapping, NoLock;

    /// Who maps by hand meanwhile has a use of its own.
    beside_vmap_by_hand catches UnmapsForAll, KeepsMapping;

    /// The memory of an imported object is the exporter's: refused.
    imported_object catches MapsImported;

    /// The object is the last holder of its DRM device, which mapping, unmapping and the release
    /// read.
    object_outlives_drm_device catches NoDrmDevice, DrmDeviceFirst;

    /// Never sleeps, never maps, tells a wrong device.
    peek;

    /// Needs no bound device; [`None`] while empty or revoked; unbind waits for the guard.
    try_access catches KeepsMapping;

    /// Unmaps now, exactly once, balanced; the other field stays.
    revoke catches KeepsMapping, KeepsPages, RevokesBoth;

    /// Mapping and unmapping leave the object's own reference count alone.
    owner_is_held_weakly catches HoldsOwner;

    /// Device unbound with both fields mapped: what was mapped last goes first.
    order_at_unbind catches MapsEarly;

    /// Object freed with both fields mapped: the field that is declared last goes first.
    order_at_free catches TableFirst;
}
