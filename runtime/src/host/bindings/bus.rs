// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Buses, and who is told when drivers are bound and unbound: `include/linux/device/bus.h` and
//! `include/linux/notifier.h`.
//!
//! A device belongs to a bus for good. The buses themselves find no drivers.

use super::device;
use crate::error::code;
use core::{
    ffi::{c_int, c_ulong, c_void},
    ptr,
};
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

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

/// The events that a bus reports to a notifier: `enum bus_notifier_event`.
pub type bus_notifier_event = u32;

/// A driver is about to be unbound from the device.
pub const bus_notifier_event_BUS_NOTIFY_UNBIND_DRIVER: bus_notifier_event = 4;

/// A bus: `struct bus_type`.
pub struct bus_type {
    /// In the order in which they were registered. Read-locked while blocks are called, as the
    /// `rwsem` of a `struct blocking_notifier_head` is: a block that is no longer on the bus is no
    /// longer running.
    notifiers: RwLock<Vec<Notifier>>,
}

/// A block on the bus.
struct Notifier(*mut notifier_block);

// SAFETY: The caller of `bus_register_notifier()` promises that any thread may use the block.
unsafe impl Send for Notifier {}

// SAFETY: As for `Send`: several threads may call the block at once.
unsafe impl Sync for Notifier {}

impl bus_type {
    pub(super) const fn new() -> Self {
        Self {
            notifiers: RwLock::new(Vec::new()),
        }
    }

    /// Locks the list for a change. Waits until no block is being called.
    fn notifiers(&self) -> RwLockWriteGuard<'_, Vec<Notifier>> {
        self.notifiers
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls every block, with the list read-locked.
    ///
    /// # Safety
    ///
    /// `dev` is valid, and its lock is held.
    pub(super) unsafe fn notify(&self, event: bus_notifier_event, dev: *mut device) {
        let notifiers = self
            .notifiers
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        for &Notifier(block) in notifiers.iter() {
            // SAFETY: The block is on the bus and cannot leave it while the list is locked, so it is
            // valid.
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

/// Takes a block off a bus: `bus_unregister_notifier()`. Returns 0, or `-ENOENT` if the block is not
/// on it. May sleep: the function waits until the block is not being called.
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::mpsc::{channel, Receiver, Sender},
        thread,
        time::Duration,
    };

    /// A block that says that it is being called, and then waits.
    #[repr(C)]
    struct Waiting {
        block: notifier_block,
        called: Sender<()>,
        go_on: Receiver<()>,
    }

    unsafe extern "C" fn wait(nb: *mut notifier_block, _: c_ulong, _: *mut c_void) -> c_int {
        // SAFETY: The test registers blocks of this type only, and one thread calls them.
        let waiting = unsafe { &*nb.cast::<Waiting>() };
        waiting.called.send(()).unwrap();
        waiting.go_on.recv().unwrap();
        0
    }

    #[test]
    fn unregistering_waits_for_a_call() {
        let bus = bus_type::new();
        let (called, is_called) = channel();
        let (let_go, go_on) = channel();
        let mut waiting = Waiting {
            block: notifier_block {
                notifier_call: Some(wait),
                next: ptr::null_mut(),
                priority: 0,
            },
            called,
            go_on,
        };
        let nb = Notifier(ptr::from_mut(&mut waiting).cast());
        // SAFETY: The bus is valid, and so is the block until the end of the test.
        assert_eq!(unsafe { bus_register_notifier(&bus, nb.0) }, 0);

        let (unregistered, is_unregistered) = channel();
        thread::scope(|threads| {
            // SAFETY: The function does not look at the device.
            threads.spawn(|| unsafe { bus.notify(0, ptr::null_mut()) });
            is_called.recv().unwrap();

            let (bus, nb) = (&bus, &nb);
            threads.spawn(move || {
                // SAFETY: The bus is valid.
                let result = unsafe { bus_unregister_notifier(bus, nb.0) };
                unregistered.send(result).unwrap();
            });
            let too_early = is_unregistered.recv_timeout(Duration::from_millis(50));
            let_go.send(()).unwrap();
            assert!(too_early.is_err(), "unregistered while the block is called");
        });
        assert_eq!(is_unregistered.recv().unwrap(), 0);
    }
}
