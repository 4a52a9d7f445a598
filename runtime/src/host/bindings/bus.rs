// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Buses, and who is told when drivers are bound and unbound: `include/linux/device/bus.h` and
//! `include/linux/notifier.h`.
//!
//! A device belongs to a bus for good. The buses themselves find no drivers.

use super::device;
use crate::error::code;
use core::{
    ffi::{
        c_int,
        c_ulong,
        c_void, //
    },
    ptr,
};
use std::sync::{
    Mutex,
    MutexGuard,
    PoisonError, //
};

/// A function that is told of events: `struct notifier_block`.
#[repr(C)]
pub struct notifier_block {
    /// The function: with this block, the event, and what it is about.
    pub notifier_call:
        Option<unsafe extern "C" fn(*mut notifier_block, c_ulong, *mut c_void) -> c_int>,
    /// The next one of the chain. Not used here.
    pub next: *mut notifier_block,
    /// Those with a higher one are told first. Not used here: all have the same.
    pub priority: c_int,
}

// SAFETY: There is no function, no next one, and the usual priority.
unsafe impl pin_init::Zeroable for notifier_block {}

/// What a notifier of a bus is told: `enum bus_notifier_event`.
pub type bus_notifier_event = u32;

/// A driver is about to be unbound from the device.
pub const bus_notifier_event_BUS_NOTIFY_UNBIND_DRIVER: bus_notifier_event = 4;

/// A bus: `struct bus_type`.
pub struct bus_type {
    /// In the order in which they were registered.
    notifiers: Mutex<Vec<Notifier>>,
}

/// A block on the bus.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Notifier(*mut notifier_block);

// SAFETY: Who registers a block promises that it may be used on any thread.
unsafe impl Send for Notifier {}

impl bus_type {
    pub(super) const fn new() -> Self {
        Self {
            notifiers: Mutex::new(Vec::new()),
        }
    }

    fn notifiers(&self) -> MutexGuard<'_, Vec<Notifier>> {
        self.notifiers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells everybody.
    ///
    /// # Safety
    ///
    /// `dev` is valid, and its lock is held.
    pub(super) unsafe fn notify(&self, event: bus_notifier_event, dev: *mut device) {
        let notifiers = self.notifiers().clone();
        for Notifier(block) in notifiers {
            // SAFETY: It is on the bus, so it is valid.
            if let Some(call) = unsafe { (*block).notifier_call } {
                // SAFETY: The caller promises that the device is valid.
                unsafe { call(block, event.into(), dev.cast()) };
            }
        }
    }
}

/// Adds a block to a bus: `bus_register_notifier()`. Returns 0. May sleep.
///
/// # Safety
///
/// - `bus` is valid.
/// - `nb` is valid, and its function may be called on any thread, until
///   [`bus_unregister_notifier()`] has returned.
pub unsafe fn bus_register_notifier(bus: *const bus_type, nb: *mut notifier_block) -> c_int {
    // SAFETY: The caller promises that it is valid.
    unsafe { &*bus }.notifiers().push(Notifier(nb));
    0
}

/// Takes a block off a bus: `bus_unregister_notifier()`. Returns 0, or `-ENOENT` if it is not there.
/// May sleep.
///
/// # Safety
///
/// `bus` is valid.
pub unsafe fn bus_unregister_notifier(bus: *const bus_type, nb: *mut notifier_block) -> c_int {
    // SAFETY: The caller promises that it is valid.
    let mut notifiers = unsafe { &*bus }.notifiers();
    match notifiers
        .iter()
        .position(|Notifier(block)| ptr::eq(*block, nb))
    {
        Some(at) => {
            notifiers.remove(at);
            0
        }
        None => code::ENOENT.to_errno(),
    }
}
