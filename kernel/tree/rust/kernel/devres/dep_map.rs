// SPDX-License-Identifier: GPL-2.0

//! A slot as lockdep sees it: a thread that populates the slot counts as the holder of a lock.
//!
//! There is no lock: the slot's state decides which thread waits for which. Without lockdep the
//! types of this module have no size.
//!
//! C header: [`include/linux/lockdep.h`](srctree/include/linux/lockdep.h)

use crate::{
    prelude::*,
    str::CStr,
    sync::LockClassKey,
    types::NotThreadSafe, //
};
use core::marker::PhantomData;
#[cfg(CONFIG_LOCKDEP)]
use {
    crate::{
        bindings,
        ffi::c_ulong,
        types::Opaque, //
    },
    core::ptr,
};

/// The slot as lockdep knows it: `struct lockdep_map`.
#[pin_data]
pub(super) struct DepMap {
    #[cfg(CONFIG_LOCKDEP)]
    #[pin]
    map: Opaque<bindings::lockdep_map>,
}

impl DepMap {
    /// Returns the map of a slot of the class `key`.
    #[cfg(CONFIG_LOCKDEP)]
    pub(super) fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            map <- Opaque::ffi_init(|map| {
                // SAFETY: `map` is valid for writes. `name` and `key` stay valid.
                unsafe {
                    bindings::lockdep_init_map_type(
                        map,
                        name.as_char_ptr(),
                        key.as_ptr(),
                        0,
                        bindings::lockdep_wait_type_LD_WAIT_SLEEP as u8,
                        bindings::lockdep_wait_type_LD_WAIT_INV as u8,
                        bindings::lockdep_lock_type_LD_LOCK_NORMAL as u8,
                    )
                }
            }),
        })
    }

    /// Returns the map of a slot, which is empty without lockdep.
    #[cfg(not(CONFIG_LOCKDEP))]
    pub(super) fn new(
        _name: &'static CStr,
        _key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        Self {}
    }

    /// Has the current thread hold the slot, until the result is dropped.
    ///
    /// Call it before the thread waits for another one that populates the slot.
    #[inline]
    pub(super) fn acquire(&self) -> Held<'_> {
        #[cfg(CONFIG_LOCKDEP)]
        // SAFETY: The map was initialised by `new()`.
        unsafe {
            bindings::lock_acquire(self.map.get(), 0, 0, 0, 1, ptr::null_mut(), this_ip())
        };

        Held {
            #[cfg(CONFIG_LOCKDEP)]
            map: &self.map,
            _map: PhantomData,
            _thread: NotThreadSafe,
        }
    }
}

// SAFETY: Lockdep changes the map on any thread.
#[cfg(CONFIG_LOCKDEP)]
unsafe impl Send for DepMap {}

// SAFETY: Lockdep changes the map on any thread.
#[cfg(CONFIG_LOCKDEP)]
unsafe impl Sync for DepMap {}

/// The current thread holds a slot.
pub(super) struct Held<'a> {
    #[cfg(CONFIG_LOCKDEP)]
    map: &'a Opaque<bindings::lockdep_map>,
    _map: PhantomData<&'a DepMap>,
    _thread: NotThreadSafe,
}

#[cfg(CONFIG_LOCKDEP)]
impl Drop for Held<'_> {
    fn drop(&mut self) {
        // SAFETY: The map was acquired by `DepMap::acquire()`, on this thread.
        unsafe { bindings::lock_release(self.map.get(), this_ip()) };
    }
}

/// Returns the place that lockdep reports, above the stack of the caller.
#[cfg(CONFIG_LOCKDEP)]
fn this_ip() -> c_ulong {
    DepMap::acquire as *const () as c_ulong
}
