// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the protocol needs of the system: here a device with room for one registry on its list.

use super::registry::Registry;
use crate::{
    device::{
        Bound,
        Device, //
    },
    prelude::*,
    sync::Arc, //
};
use std::{
    hash::{
        DefaultHasher,
        Hash,
        Hasher, //
    },
    num::NonZero, //
};

/// Returns the registry on a device's list.
pub(super) fn find(dev: &Device<Bound>) -> Option<Arc<Registry>> {
    dev.list().registry()
}

/// Adds a registry to a device's list, unless there is one; returns the one that is there.
pub(super) fn add(dev: &Device<Bound>, registry: Arc<Registry>) -> Result<Arc<Registry>> {
    let mut list = dev.list();

    Ok(list.registry().unwrap_or_else(|| {
        list.set_registry(registry.clone());
        registry
    }))
}

/// Takes a registry off a device's list, if it is there, and releases it now.
pub(super) fn withdraw(dev: &Device<Bound>, registry: &Registry) {
    let mut list = dev.list();

    if let Some(there) = list.registry::<Registry>() {
        if std::ptr::eq(&*there, registry) {
            list.clear();
            drop(list);
            there.release();
        }
    }
}

/// Is unbind still to come to what is added now?
pub(super) fn is_bound(dev: &Device<Bound>) -> bool {
    dev.is_bound()
}

/// Returns a number of the current thread that no other thread has.
pub(super) fn current_task() -> NonZero<usize> {
    let mut hasher = DefaultHasher::new();
    loom::thread::current().id().hash(&mut hasher);

    NonZero::new(hasher.finish() as usize).unwrap()
}

/// Has an initialiser make a value in place.
///
/// # Safety
///
/// - `slot` is valid for writes.
/// - Nobody uses it if this fails, and it does not move if it does not.
pub(super) unsafe fn init_in_place<T, E>(slot: *mut T, init: impl PinInit<T, E>) -> Result<(), E> {
    // SAFETY: By the safety requirements.
    unsafe { init.__pinned_init(slot) }
}

/// Runs `f`: nothing unwinds under the model checker.
pub(super) fn to_the_end<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// Runs `f`: nothing unwinds under the model checker.
pub(super) fn postponed(_slot: NonZero<usize>, f: impl FnOnce()) {
    f();
}

/// Does nothing: no panic was postponed.
pub(super) fn resume(_slot: NonZero<usize>) {}

/// Runs `f`: nothing unwinds under the model checker.
pub(super) fn contained(_slot: NonZero<usize>, f: impl FnOnce()) {
    f();
}

/// Does nothing: the model checker finds threads that wait for ever.
pub(super) fn before_waiting_for(_slot: NonZero<usize>) {}
