// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Links between devices, by which a consumer's driver is unbound before its supplier's.
//!
//! Models the managed device links of `drivers/base/core.c`. Stateless links, power management and
//! firmware nodes are left out.

use super::{
    device, device_guard, device_release_driver, dl_dev_state, dl_dev_state_DL_DEV_DRIVER_BOUND,
    dl_dev_state_DL_DEV_NO_DRIVER, dl_dev_state_DL_DEV_PROBING, dl_dev_state_DL_DEV_UNBINDING,
    get_device, put_device,
};
use crate::{alloc::flags::GFP_KERNEL, error::code};
use core::{ffi::c_int, ptr, sync::atomic::Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The state of a link: `enum device_link_state`.
pub type device_link_state = c_int;

/// Neither the supplier nor the consumer has a driver: `DL_STATE_DORMANT`.
pub const device_link_state_DL_STATE_DORMANT: device_link_state = 0;
/// The supplier has a driver: `DL_STATE_AVAILABLE`.
pub const device_link_state_DL_STATE_AVAILABLE: device_link_state = 1;
/// The consumer is being probed: `DL_STATE_CONSUMER_PROBE`.
pub const device_link_state_DL_STATE_CONSUMER_PROBE: device_link_state = 2;
/// Both have a driver: `DL_STATE_ACTIVE`.
pub const device_link_state_DL_STATE_ACTIVE: device_link_state = 3;
/// The supplier's driver is being unbound: `DL_STATE_SUPPLIER_UNBIND`.
pub const device_link_state_DL_STATE_SUPPLIER_UNBIND: device_link_state = 4;

/// The link is deleted when the consumer's driver is unbound, or its probe fails.
pub const DL_FLAG_AUTOREMOVE_CONSUMER: u32 = 1 << 1;
/// The link is deleted when the supplier's driver is unbound.
pub const DL_FLAG_AUTOREMOVE_SUPPLIER: u32 = 1 << 4;

/// A link: `struct device_link`. It holds a reference to both devices.
pub struct device_link {
    /// The device that the consumer needs.
    pub supplier: *mut device,
    /// The device whose driver is unbound first.
    pub consumer: *mut device,
    status: device_link_state,
    flags: u32,
}

// SAFETY: A link owns a reference to each device, and devices are shared between threads.
unsafe impl Send for device_link {}

/// Links, the oldest first. They do not move, as C code has pointers to them.
type Links = Vec<Box<device_link>>;

/// All links, under the lock that also protects the state of each device.
static LINKS: Mutex<Links> = Mutex::new(Vec::new());

/// Takes the lock: `device_links_write_lock()`.
fn links() -> MutexGuard<'static, Links> {
    LINKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes links off the list: those of which `is_it` is true.
fn take(links: &mut Links, is_it: impl Fn(&device_link) -> bool) -> Links {
    let (taken, left) = links.drain(..).partition(|link| is_it(link));
    *links = left;
    taken
}

/// Returns the state of a device's driver.
///
/// # Safety
///
/// `dev` must be valid.
unsafe fn status(dev: *mut device) -> dl_dev_state {
    // SAFETY: The caller promises that `dev` is valid.
    unsafe { &*dev }.links.status.load(Ordering::Relaxed)
}

/// Puts the references of links that were deleted, without the lock.
///
/// # Safety
///
/// The links must not be used after this.
unsafe fn put_links(deleted: Links) {
    for link in deleted {
        for dev in [link.consumer, link.supplier] {
            // SAFETY: The link owns a reference to each of the two, which it gives up.
            unsafe { put_device(dev) };
        }
    }
}

/// Links two devices: `device_link_add()`. The consumer's driver is unbound before the supplier's,
/// and cannot be bound without it.
///
/// `flags` are 0 or one of [`DL_FLAG_AUTOREMOVE_CONSUMER`] and [`DL_FLAG_AUTOREMOVE_SUPPLIER`]. If
/// the two are linked already, the link that is there is returned, with its own flags.
///
/// Returns the link, which is valid until it is deleted, or null: if there is no memory, if the
/// flags are others, and if the supplier needs the consumer.
///
/// # Safety
///
/// - `consumer` and `supplier` must be valid.
/// - As long as the link is there, no code may rely on the consumer being bound when the supplier's
///   driver is unbound.
pub unsafe fn device_link_add(
    consumer: *mut device,
    supplier: *mut device,
    flags: u32,
) -> *mut device_link {
    if ![0, DL_FLAG_AUTOREMOVE_CONSUMER, DL_FLAG_AUTOREMOVE_SUPPLIER].contains(&flags) {
        return ptr::null_mut();
    }

    let mut links = links();
    if is_dependent(&links, consumer, supplier) {
        return ptr::null_mut();
    }
    let there = links
        .iter_mut()
        .find(|link| link.consumer == consumer && link.supplier == supplier);
    if let Some(link) = there {
        return &raw mut **link;
    }
    if GFP_KERNEL.try_alloc().is_err() {
        return ptr::null_mut();
    }

    // SAFETY: The caller promises that `supplier` is valid.
    let of_supplier = unsafe { status(supplier) };
    // SAFETY: The caller promises that `consumer` is valid.
    let of_consumer = unsafe { status(consumer) };
    let status = match (of_supplier, of_consumer) {
        (
            dl_dev_state_DL_DEV_PROBING | dl_dev_state_DL_DEV_DRIVER_BOUND,
            dl_dev_state_DL_DEV_PROBING,
        ) => device_link_state_DL_STATE_CONSUMER_PROBE,
        (dl_dev_state_DL_DEV_DRIVER_BOUND, dl_dev_state_DL_DEV_DRIVER_BOUND) => {
            device_link_state_DL_STATE_ACTIVE
        }
        (dl_dev_state_DL_DEV_DRIVER_BOUND, _) => device_link_state_DL_STATE_AVAILABLE,
        (dl_dev_state_DL_DEV_UNBINDING, _) => device_link_state_DL_STATE_SUPPLIER_UNBIND,
        _ => device_link_state_DL_STATE_DORMANT,
    };

    // SAFETY: The caller promises that `supplier` is valid.
    unsafe { get_device(supplier) };
    // SAFETY: The caller promises that `consumer` is valid.
    unsafe { get_device(consumer) };
    links.push(Box::new(device_link {
        supplier,
        consumer,
        status,
        flags,
    }));
    links
        .last_mut()
        .map_or(ptr::null_mut(), |link| &raw mut **link)
}

/// Returns whether `target` is `dev` or needs it, over however many links:
/// `device_is_dependent()`.
fn is_dependent(links: &[Box<device_link>], dev: *mut device, target: *mut device) -> bool {
    dev == target
        || links
            .iter()
            .any(|link| link.supplier == dev && is_dependent(links, link.consumer, target))
}

/// Says that a device is being probed, unless a supplier of it has no driver:
/// `device_links_check_suppliers()`. The device's state is `DL_DEV_PROBING` either way.
///
/// Returns 0 or `-EPROBE_DEFER`.
///
/// # Safety
///
/// `dev` must be valid.
pub(super) unsafe fn device_links_check_suppliers(dev: *mut device) -> c_int {
    let mut links = links();
    let mut suppliers: Vec<_> = links
        .iter_mut()
        .filter(|link| link.consumer == dev)
        .collect();
    let is_missing = suppliers
        .iter()
        .any(|link| link.status != device_link_state_DL_STATE_AVAILABLE);
    if !is_missing {
        for link in &mut suppliers {
            link.status = device_link_state_DL_STATE_CONSUMER_PROBE;
        }
    }

    // SAFETY: The caller promises that `dev` is valid.
    unsafe { &*dev }.set_status(dl_dev_state_DL_DEV_PROBING);
    if is_missing {
        code::EPROBE_DEFER.to_errno()
    } else {
        0
    }
}

/// Says that a device has a driver: `device_links_driver_bound()`.
///
/// # Safety
///
/// `dev` must be valid.
pub(super) unsafe fn device_links_driver_bound(dev: *mut device) {
    let mut links = links();
    for link in links.iter_mut() {
        if link.supplier == dev && link.status == device_link_state_DL_STATE_DORMANT {
            link.status = device_link_state_DL_STATE_AVAILABLE;
        }
        if link.consumer == dev {
            link.status = device_link_state_DL_STATE_ACTIVE;
        }
    }

    // SAFETY: The caller promises that `dev` is valid.
    unsafe { &*dev }.set_status(dl_dev_state_DL_DEV_DRIVER_BOUND);
}

/// Says that probing a device has failed: `device_links_no_driver()`.
///
/// # Safety
///
/// `dev` must be valid.
pub(super) unsafe fn device_links_no_driver(dev: *mut device) {
    let mut links = links();
    for link in links.iter_mut().filter(|link| link.supplier == dev) {
        // A consumer that was probed meanwhile has made this link.
        if [
            device_link_state_DL_STATE_CONSUMER_PROBE,
            device_link_state_DL_STATE_ACTIVE,
        ]
        .contains(&link.status)
        {
            link.status = device_link_state_DL_STATE_DORMANT;
        }
    }

    // SAFETY: The caller promises that `dev` is valid.
    let deleted = unsafe { no_driver(&mut links, dev) };
    drop(links);
    // SAFETY: The links were taken off the list.
    unsafe { put_links(deleted) };
}

/// Says that a device's driver was unbound: `device_links_driver_cleanup()`.
///
/// # Safety
///
/// `dev` must be valid.
pub(super) unsafe fn device_links_driver_cleanup(dev: *mut device) {
    let mut links = links();
    let mut deleted = take(&mut links, |link| {
        link.supplier == dev && link.flags == DL_FLAG_AUTOREMOVE_SUPPLIER
    });
    for link in links.iter_mut().filter(|link| link.supplier == dev) {
        link.status = device_link_state_DL_STATE_DORMANT;
    }

    // SAFETY: The caller promises that `dev` is valid.
    deleted.extend(unsafe { no_driver(&mut links, dev) });
    drop(links);
    // SAFETY: The links were taken off the list.
    unsafe { put_links(deleted) };
}

/// Says that a consumer has no driver any more: `__device_links_no_driver()`. Returns the links that
/// go with it.
///
/// # Safety
///
/// `dev` must be valid.
unsafe fn no_driver(links: &mut Links, dev: *mut device) -> Links {
    let deleted = take(links, |link| {
        link.consumer == dev && link.flags == DL_FLAG_AUTOREMOVE_CONSUMER
    });
    for link in links.iter_mut().filter(|link| link.consumer == dev) {
        if ![
            device_link_state_DL_STATE_CONSUMER_PROBE,
            device_link_state_DL_STATE_ACTIVE,
        ]
        .contains(&link.status)
        {
            continue;
        }
        // SAFETY: The link owns a reference to its supplier.
        link.status = match unsafe { status(link.supplier) } {
            dl_dev_state_DL_DEV_DRIVER_BOUND => device_link_state_DL_STATE_AVAILABLE,
            _ => device_link_state_DL_STATE_DORMANT,
        };
    }

    // SAFETY: The caller promises that `dev` is valid.
    unsafe { &*dev }.set_status(dl_dev_state_DL_DEV_NO_DRIVER);
    deleted
}

/// Says that a device's driver is being unbound, and returns whether one of its consumers has a
/// driver, which has to be unbound first: `device_links_busy()`.
///
/// # Safety
///
/// `dev` must be valid.
pub(super) unsafe fn device_links_busy(dev: *mut device) -> bool {
    let mut links = links();
    let mut is_busy = false;
    for link in links.iter_mut().filter(|link| link.supplier == dev) {
        if [
            device_link_state_DL_STATE_CONSUMER_PROBE,
            device_link_state_DL_STATE_ACTIVE,
        ]
        .contains(&link.status)
        {
            is_busy = true;
            break;
        }
        link.status = device_link_state_DL_STATE_SUPPLIER_UNBIND;
    }

    // SAFETY: The caller promises that `dev` is valid.
    unsafe { &*dev }.set_status(dl_dev_state_DL_DEV_UNBINDING);
    is_busy
}

/// Unbinds the drivers of a device's consumers: `device_links_unbind_consumers()`. May sleep.
///
/// # Safety
///
/// `dev` must be valid, its lock not be held, and no code may rely on a consumer being bound.
pub(super) unsafe fn device_links_unbind_consumers(dev: *mut device) {
    loop {
        let mut links = links();
        let Some(link) = links.iter_mut().find(|link| {
            link.supplier == dev && link.status != device_link_state_DL_STATE_SUPPLIER_UNBIND
        }) else {
            return;
        };
        let consumer = link.consumer;
        let before = link.status;
        if before != device_link_state_DL_STATE_CONSUMER_PROBE {
            link.status = device_link_state_DL_STATE_SUPPLIER_UNBIND;
        }
        // SAFETY: The link owns a reference to its consumer.
        unsafe { get_device(consumer) };
        drop(links);

        let _put = crate::types::ScopeGuard::new(|| {
            // SAFETY: The reference was taken above.
            unsafe { put_device(consumer) };
        });
        match before {
            // C waits for all probes: `wait_for_device_probe()`.
            // SAFETY: There is a reference to the consumer.
            device_link_state_DL_STATE_CONSUMER_PROBE => drop(unsafe { device_guard(consumer) }),
            device_link_state_DL_STATE_ACTIVE => {
                // SAFETY: There is a reference to the consumer, and the caller promises that nobody
                // relies on it being bound.
                unsafe { device_release_driver(consumer) };
            }
            _ => (),
        }
    }
}

/// Deletes a device's links: `device_links_purge()`.
///
/// # Safety
///
/// `dev` must be valid, and have no driver.
pub(super) unsafe fn device_links_purge(dev: *mut device) {
    let deleted = take(&mut links(), |link| {
        link.supplier == dev || link.consumer == dev
    });

    // SAFETY: The links were taken off the list.
    unsafe { put_links(deleted) };
}
