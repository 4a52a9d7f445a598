// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The devres node of a registry: here a device with room for one registry on its list.

use super::registry::Registry;
use crate::{
    device::{Bound, Device},
    prelude::*,
    sync::Arc,
};

/// A node that is on no list yet.
pub(super) struct Node(Arc<Registry>);

impl Node {
    /// Makes the node of a registry.
    pub(super) fn new(registry: Arc<Registry>) -> Result<Self> {
        Ok(Self(registry))
    }

    /// Adds the node to a device's list.
    pub(super) fn add(self, dev: &Device<Bound>) {
        dev.list().set_registry(self.0);
    }
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
