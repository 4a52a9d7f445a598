// SPDX-License-Identifier: GPL-2.0

//! Additions to `rust/kernel/devres.rs`: the exports of its new modules, and documentation and a
//! first statement for `register()`. The documentation stands in front of the examples there.

pub use batched::Batched;
pub use evictable::{
    new_evictable_lazy,
    EvictableLazy,
    LazyPin,
    PinEntry,
    PinVacant, //
};
pub use lazy::{
    new_lazy,
    prepare,
    same_device,
    Entry,
    Lazy,
    LazyGuard,
    LazyOwner,
    Place,
    Placed,
    TeardownFirst,
    Vacant, //
};
pub use lazy_lt::{
    LazyLt,
    PlaceLt,
    PlacedLt,
    StoredLt, //
};
pub use mapped::{
    HasView,
    Map,
    MapMarker,
    Mapped,
    Names,
    OwnerView, //
};

/// The first call in a binding also gives the slots of `dev` their place, as [`prepare()`] does. At
/// unbind `data` is dropped first, and its drop waits for its callbacks. So a callback may keep
/// what an accessor returned until the callback returns. The first call allocates the registry of
/// the slots and its devres node, also for a driver that has no slots.
///
/// A devres group that is released before unbind must not contain the first call: all slots of
/// `dev` would be revoked with the group. Call [`prepare()`] before the group is opened.
///
/// # Errors
///
/// [`ENOMEM`], or the error of `data`. Nothing is registered then.
///
/// While unbind is under way, the call succeeds as it does without slots. A device whose slots have
/// no place yet gets none then, and a first access fails with [`ENXIO`].
fn register() {
    place::take(dev)?;
}
