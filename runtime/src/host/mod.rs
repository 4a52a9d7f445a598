// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The kernel's vocabulary on the host, under the kernel's own paths.
//!
//! Each module stands for the file of the same name in the kernel's `rust/kernel/`, as far as
//! driver objects with lazily mapped resources need it. `bindings` stands for the C side. Modules
//! in here name each other by the kernel's paths (`crate::device::Device`, `crate::sync::rcu`), so
//! that code written against them reads the same in both places.
//!
//! These modules have no counterpart among the kernel's Rust files:
//!
//! - `fault`: failing allocations, and the check that nothing sleeps in atomic context;
//! - `lockdep`, `parking`, `raw_lock` and `wait`: C code there;
//! - `signal`: threads with a signal pending;
//! - `unwind`: panics in the middle of the protocol;
//! - `drm_file`, `pci_device` and `pci_module`: files that tests open, PCI devices that they make,
//!   and the modules with drivers for them;
//! - `testing`: what makes these and a few other things available to tests;
//! - `sys`, `dep_map`, `kunit_driver`, `kunit_lockdep`, `kunit_machine`, `kunit_pci`,
//!   `kunit_shrinker` and `kunit_stress`: each stands for a file of the same name that is added to
//!   the kernel.

pub mod alloc;
pub mod bindings;
pub mod build_assert;
pub mod device;
pub mod device_id;
pub(crate) mod devres;
pub mod dma;
pub mod drm;
pub mod error;
pub mod faux;
pub mod firmware;
pub mod fmt;
pub mod init;
pub mod io;
pub mod kunit;
#[cfg(test)]
pub(crate) mod kunit_driver;
#[cfg(feature = "attribute")]
pub(crate) mod kunit_lockdep;
#[cfg(test)]
pub(crate) mod kunit_machine;
#[cfg(test)]
pub(crate) mod kunit_pci;
#[cfg(test)]
pub(crate) mod kunit_shrinker;
#[cfg(test)]
pub(crate) mod kunit_stress;
pub mod page;
pub mod pci;
pub mod prelude;
pub mod print;
pub mod processor;
pub mod ptr;
pub mod revocable;
pub mod scatterlist;
pub mod str;
pub mod testing;
pub mod time;
pub mod transmute;
pub mod types;
pub mod workqueue;

pub(crate) mod dep_map;
pub(crate) mod fault;
pub(crate) mod lockdep;
pub(crate) mod parking;
pub(crate) mod raw_lock;
pub(crate) mod signal;
pub(crate) mod sys;
pub(crate) mod unwind;
pub(crate) mod wait;

// Reached as parts of `sync`.
pub mod aref;
pub mod atomic;
pub mod barrier;
pub mod completion;
pub mod lock;
pub mod rcu;

mod arc;
mod bus_device;
mod condvar;
mod container_of;
mod dev_printk;
mod drm_file;
mod init_scope;
mod pci_device;
mod pci_module;
mod set_once;

pub mod sync {
    //! Synchronisation primitives, and shared ownership.
    //!
    //! Stands for `rust/kernel/sync.rs` and the files below `rust/kernel/sync/`.

    pub use super::{
        arc::{Arc, ArcBorrow, UniqueArc},
        aref, atomic, barrier, completion,
        completion::Completion,
        condvar::{new_condvar, CondVar, CondVarTimeoutResult},
        lock::{
            self,
            mutex::{new_mutex, Mutex, MutexGuard},
            spinlock::{new_spinlock, SpinLock, SpinLockGuard},
        },
        lockdep::{static_lock_class, LockClassKey},
        rcu,
        set_once::SetOnce,
    };
}
