// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The kernel's vocabulary on the host, under the kernel's own paths.
//!
//! Each module stands for the file of the same name in the kernel's `rust/kernel/`, as far as
//! driver objects with lazily mapped resources need it; `bindings` stands for the C side. Modules
//! in here name each other by the kernel's paths (`crate::device::Device`, `crate::sync::rcu`), so
//! that what is written against them reads the same in both places.
//!
//! Eight modules have no counterpart among the kernel's Rust files: `fault` (failing allocations,
//! and the check that nothing sleeps in atomic context), `lockdep` (which is C code there),
//! `signal` (threads with a signal pending), `unwind` (panics in the middle of the protocol),
//! `drm_file` (files of a DRM device that tests open), `pci_device` (PCI devices that tests make),
//! `testing`, which makes these and a few other things available to tests, and `sys`, which stands
//! for a file of the same name that is added to the kernel.

pub mod alloc;
pub mod bindings;
pub mod device;
pub mod device_id;
pub(crate) mod devres;
pub mod dma;
pub mod drm;
pub mod error;
pub mod faux;
pub mod init;
pub mod io;
pub mod page;
pub mod pci;
pub mod prelude;
pub mod ptr;
pub mod revocable;
pub mod scatterlist;
pub mod str;
pub mod testing;
pub mod transmute;
pub mod types;

pub(crate) mod fault;
pub(crate) mod lockdep;
pub(crate) mod signal;
pub(crate) mod sys;
pub(crate) mod unwind;

// Reached as parts of `sync`.
pub mod aref;
pub mod atomic;
pub mod barrier;
pub mod completion;
pub mod rcu;

mod arc;
mod bus_device;
mod condvar;
mod container_of;
mod drm_file;
mod init_scope;
mod mutex;
mod pci_device;
mod set_once;
pub(crate) mod vmalloc;

pub mod sync {
    //! Synchronisation primitives, and shared ownership.
    //!
    //! Stands for `rust/kernel/sync.rs` and the files below `rust/kernel/sync/`.

    pub use super::{
        arc::Arc,
        aref,
        atomic,
        barrier,
        completion,
        completion::Completion,
        condvar::{
            new_condvar,
            CondVar, //
        },
        lockdep::{
            static_lock_class,
            LockClassKey, //
        },
        mutex::{
            new_mutex,
            Mutex,
            MutexGuard, //
        },
        rcu,
        set_once::SetOnce, //
    };

    pub mod lock {
        //! Locks. Stands for `rust/kernel/sync/lock.rs`; the mutex is the only one here.

        pub mod mutex {
            //! The mutex, as `rust/kernel/sync/lock/mutex.rs` exports it.

            pub use crate::host::mutex::{
                new_mutex,
                Mutex,
                MutexGuard, //
            };
        }
    }
}
