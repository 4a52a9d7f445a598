// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The table of the registries of all devices. A lookup takes the same time for any number of
//! managed resources of the device.
//!
//! The host, the model checker and the kernel compile this file, under the rule of `lazy`.
//!
//! This is a hash table over the addresses of devices, with a spinlock per bucket. A registry
//! enters the table when its devres node is added, with the lock of the bucket held. It leaves the
//! table when the release of the node begins. So
//!
//! - a device has at most one registry in the table;
//! - the release of a registry in the table is still to come. The node of the registry is on the
//!   device's list, or an unbind has collected the node and has not released it yet;
//! - no registry is in the table when its device is freed, as the driver core releases all nodes
//!   first. So a new device at the same address does not find the old registry.
//!
//! Order of locks: a bucket, then the device's `devres_lock`. Memory is allocated before the locks
//! are taken, and freed after they are released.

use super::{
    devres_node::Node,
    registry::Registry,
    sys, //
};
use crate::{
    device::{
        Bound,
        Device, //
    },
    prelude::*,
    sync::{
        new_spinlock,
        Arc,
        SpinLock, //
    },
};
use core::{
    cell::UnsafeCell,
    mem,
    ptr, //
};

/// As `GOLDEN_RATIO_32`, the negative of 2^32 divided by the golden ratio: spreads addresses over
/// the buckets.
const GOLDEN_RATIO: usize = 0x61c8_8647;

/// The first registry of a bucket, or the next one.
type Chain = Option<Arc<Registry>>;

/// The part of a registry that the table uses.
pub(super) struct Link {
    /// The address of the device.
    device: usize,
    /// Accessed with the lock of the bucket held.
    next: UnsafeCell<Chain>,
}

// SAFETY: `next` is accessed with the lock of the bucket held.
unsafe impl Sync for Link {}

impl Link {
    /// Returns the link of a registry that is made for `dev`.
    pub(super) fn new(dev: &Device<Bound>) -> Self {
        Self {
            device: dev.as_raw().addr(),
            next: UnsafeCell::new(None),
        }
    }
}

/// The registries of all devices.
#[pin_data]
pub(crate) struct Table {
    #[pin]
    buckets: [SpinLock<Chain>; sys::BUCKETS],
}

impl Table {
    /// Returns a table without registries.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            buckets <- pin_init::pin_init_array_from_fn(|_| {
                new_spinlock!(None, "devres::Table::bucket")
            }),
        })
    }

    /// Returns the bucket for the device at an address.
    fn bucket(&self, device: usize) -> &SpinLock<Chain> {
        let hash = device.wrapping_mul(GOLDEN_RATIO) >> (usize::BITS / 2);

        &self.buckets[hash % sys::BUCKETS]
    }
}

/// Returns the registry of the device at an address, from a bucket that is locked.
fn find_in(chain: &Chain, device: usize) -> Option<&Arc<Registry>> {
    let mut next = chain.as_ref();
    while let Some(registry) = next {
        if registry.link.device == device {
            return Some(registry);
        }
        // SAFETY: `registry` is in the bucket, whose lock is held: `chain` is borrowed from the
        // guard.
        next = unsafe { &*registry.link.next.get() }.as_ref();
    }

    None
}

/// Returns the registry of a device.
///
/// # Errors
///
/// `ENOMEM` if there is no memory for the table.
pub(super) fn find(dev: &Device<Bound>) -> Result<Option<Arc<Registry>>> {
    let device = dev.as_raw().addr();
    let chain = sys::table()?.bucket(device).lock();

    Ok(find_in(&chain, device).cloned())
}

/// Adds a registry to the table, and its node to the device's list. If the table already has a
/// registry of the device, adds neither. Returns the registry that is in the table.
///
/// # Errors
///
/// `ENOMEM` if there is no memory.
pub(super) fn add(dev: &Device<Bound>, registry: Arc<Registry>) -> Result<Arc<Registry>> {
    let device = registry.link.device;
    let node = Node::new(registry.clone())?;

    let mut chain = sys::table()?.bucket(device).lock();
    if let Some(there) = find_in(&chain, device) {
        let there = there.clone();
        // Another thread was faster. `node` and `registry` are dropped without the lock.
        drop(chain);
        return Ok(there);
    }

    // SAFETY: No other thread has the registry yet.
    unsafe { *UnsafeCell::raw_get(&raw const registry.link.next) = chain.take() };
    *chain = Some(registry.clone());
    node.add(dev);
    drop(chain);

    Ok(registry)
}

/// Removes a registry from the table, if it is there. Returns the reference that the table had.
pub(super) fn remove(registry: &Registry) -> Option<Arc<Registry>> {
    let mut chain = sys::table().ok()?.bucket(registry.link.device).lock();

    let mut place: *mut Chain = &mut *chain;
    loop {
        // SAFETY: `place` is `chain` or the `next` of a registry in the bucket, whose lock is held.
        let there = unsafe { &mut *place };
        let at: *const Registry = &**there.as_ref()?;
        if ptr::eq(at, registry) {
            // SAFETY: `registry` is in the bucket, whose lock is held.
            let next = unsafe { &mut *UnsafeCell::raw_get(&raw const registry.link.next) }.take();
            return mem::replace(there, next);
        }
        // SAFETY: The registry `at` is in the bucket, which has a reference to it.
        place = UnsafeCell::raw_get(unsafe { &raw const (*at).link.next });
    }
}
