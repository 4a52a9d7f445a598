// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The contract of a lazy field, row by row, with real threads.
//!
//! Each scenario is run on three kinds of subject: the annotated object, which has to hold; a slot
//! written here from scratch, which has to hold too; and twins of that slot which are broken in one
//! way each, and have to be caught. A scenario that cannot tell them apart is not worth having.
//!
//! Tests have the names of the kernel's for the same scenarios, which `cargo xtask kernel compare`
//! puts side by side.

mod batched;
mod callbacks;
mod device;
mod fields;
#[path = "../support/history/mod.rs"]
mod history;
mod model;
#[path = "../support/history/one_field.rs"]
mod one_field;
mod order;
mod phases;
mod probe;
mod real;
#[path = "../support/scenario.rs"]
mod scenario;
mod scenarios;
mod subject;
mod twin;

use real::Real;
use scenario::{
    caught,
    holds, //
};
use twin::{
    fault,
    Twin, //
};

/// A test for one scenario, with the broken twins that it has to catch.
macro_rules! contract {
    ($(
        $(#[$attr:meta])*
        $scenario:ident catches $($fault:ident),+;
    )*) => {
        $(
            $(#[$attr])*
            #[test]
            fn $scenario() {
                holds::<Real>(scenarios::$scenario::<Real>);
                holds::<Twin<fault::None>>(scenarios::$scenario::<Twin<fault::None>>);
                $(caught::<Twin<fault::$fault>>(scenarios::$scenario::<Twin<fault::$fault>>);)+
            }
        )*
    };
}

contract! {
    /// Populated, right device: `Ok` without lock and allocation.
    success_path catches AlwaysLocks, AlwaysAllocates;

    /// Empty, right device: maps once, racing callers get the same one.
    racing_first_access catches NoRecheck, NoLock;

    /// Any device but the owner's: `EINVAL` before anything is mapped.
    wrong_device catches NoDeviceCheck, DeviceCheckAfterMap;

    /// Mapping fails: its error, the slot stays empty and balanced.
    failing_map catches Unbalanced, StaysFailed;

    /// As above, for every allocation on the way.
    failing_allocation catches MapsBeforeAllocating;

    /// Device unbound: dropped exactly once, before unbind returns.
    unbind catches ReleaseKeeps;

    /// Same device bound again: `ENXIO`.
    rebind catches NoRevokedCheck, EmptyAfterUnbind;

    /// As above, in the middle of unbind.
    access_during_unbind catches NoRevokedCheck;

    /// Owner freed first: dropped exactly once, nothing left on the device.
    free_before_unbind catches DropKeeps;

    /// Both at once, and unbind wins: the free waits.
    unbind_wins catches DropDoesNotWait;

    /// Both at once, and the free wins: unbind waits.
    free_wins catches ReleaseDoesNotWait;

    /// Both at once, many times over.
    free_and_unbind catches DropsTwice;

    /// Never sleeps, never maps, tells a wrong device.
    peek catches PeekIgnoresDevice, PeekMaps, PeekLocks;

    /// Needs no bound device; [`None`] while empty or revoked; unbind waits for the guard.
    try_access catches TryIgnoresRevoked, TryLocks, NoGracePeriod;

    /// Unmaps now, exactly once; the slot is empty again.
    revoke catches RevokeKeeps, RevokeIsFinal;

    /// The slot stays empty and usable; nobody hangs.
    init_panics catches StaysFailed;

    /// Called inside its own `init`: a panic with the slot's name.
    recursion catches NoLock;
}
