// SPDX-License-Identifier: GPL-2.0

//! What a KUnit suite of another crate compares its own instances of [`Object`] with.
//!
//! A generic function is compiled in each crate that uses it, so there are several of
//! [`Object::new()`], but there must be only one class for the lock of the slot that it makes. Such
//! a suite is in `samples/rust/rust_devres_lazy.rs`.

use super::{
    contract_kunit::{
        self,
        Gem,
        Gpu, //
    },
    Object, //
};
use crate::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    devres::{
        kunit_support,
        Entry, //
    },
    drm::gem::DriverObject,
    faux,
    prelude::*,
    scatterlist::SGTable,
    sync::aref::ARef, //
};

/// How large the objects are.
pub const SIZE: usize = contract_kunit::SIZE;

/// An object that this crate's code creates and uses, whoever asks it to.
pub struct KernelObject {
    obj: ARef<Gem>,
    gpu: Gpu,
}

impl KernelObject {
    /// Creates an object, and a device for it.
    #[inline(never)]
    pub fn new() -> Result<Self> {
        let gpu = Gpu::new()?;

        Ok(Self {
            obj: gpu.object()?,
            gpu,
        })
    }

    /// The device below, on which DMA works, so that the other crate's object can belong to it too.
    pub fn parent(&self) -> Result<&faux::Device<Bound>> {
        self.gpu.dev.bound()
    }

    /// Unbinds that device.
    pub fn unbind(&mut self) {
        self.gpu.dev.unbind();
    }

    /// As [`Object::sg_table()`].
    #[inline(never)]
    pub fn sg_table(&self) -> Result<&SGTable> {
        self.obj.sg_table(self.gpu.bound()?)
    }

    /// Is the table mapped?
    #[inline(never)]
    pub fn is_mapped(&self) -> bool {
        self.obj.try_sg_table().is_some()
    }

    /// As [`lock_class()`].
    #[inline(never)]
    pub fn lock_class(&self) -> Option<LockClass> {
        lock_class(&self.obj, self.gpu.bound().ok()?)
    }
}

/// What tells lock classes from each other. Lockdep compares both by address.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LockClass {
    key: *mut bindings::lock_class_key,
    name: *const crate::ffi::c_char,
}

/// Returns the lock class of an object's slot, which is empty; [`None`] if lockdep is not on.
pub fn lock_class<T: DriverObject>(obj: &Object<T>, dev: &Device<Bound>) -> Option<LockClass> {
    let Ok(Entry::Vacant(_slot)) = obj.sgt.entry(dev) else {
        return None;
    };

    #[cfg(CONFIG_LOCKDEP)]
    {
        let current = crate::task::Task::current_raw();

        // SAFETY: `current` is valid, and only this thread takes locks in its name.
        let depth = unsafe { (*current).lockdep_depth };
        let last = usize::try_from(depth).ok()?.checked_sub(1)?;

        // SAFETY: As above.
        let lock = unsafe { (*current).held_locks[last].instance };

        // SAFETY: The lock that was taken last is the map of the slot, which is still held.
        let lock = unsafe { &*lock };

        Some(LockClass {
            key: lock.key,
            name: lock.name,
        })
    }

    #[cfg(not(CONFIG_LOCKDEP))]
    None
}

/// Is there lockdep, and has it not given up?
pub fn lockdep_is_on() -> bool {
    kunit_support::lockdep_is_on()
}

/// Marks the running test as skipped, which then returns what this returns.
pub fn skip(why: &CStr) -> Result {
    kunit_support::skip(why)
}
