// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The devres node of a registry: here a device with room for one registry on its list.

use super::registry::Registry;
use crate::{
    device::{
        Bound,
        Device, //
    },
    prelude::*,
    sync::Arc, //
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
