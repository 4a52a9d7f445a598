// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The C side: names and signatures as `bindgen` gives them in the kernel's `bindings` crate.
//!
//! One flat namespace, although each part of the model has a file of its own. The model *behaves*
//! as the C code of Linux 7.3 does, reference counts and locks included, and shares no code with
//! it. Functions are `unsafe` where their C namesake takes pointers that it trusts.
//!
//! # Loud failures
//!
//! Where the kernel would `WARN()`, and where its debug options (`DMA_API_DEBUG`, `PROVE_LOCKING`,
//! `KASAN`) would print a report, the model calls [`warn`]: a panic, unless [`collect_warnings`]
//! gathers the text instead. A function that finds something wrong halfway finishes its work first,
//! as the kernel does after a `WARN()`, and reports then. Locks are thus not left held, and counts
//! stay comparable.
//!
//! # Uses
//!
//! `fault` (failure injection and sleeping checks) and, for names, [`device`](crate::device).
//! Nothing in here knows about `Devres`.

#![allow(
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    reason = "the names are the C ones"
)]

// In this flat namespace a C struct and a module cannot share a name, so no file is named like a
// struct: `driver_core` has `struct device`, `buffers` has `struct dma_buf`.
mod buffers;
mod bus;
mod device_links;
mod devres_group;
mod dma;
mod dma_coherent;
mod driver_binding;
mod driver_core;
mod drm_core;
mod drm_files;
mod drm_unplug_srcu;
mod err;
mod faux;
mod firmware_loader;
mod gem;
mod io;
mod kunit_test;
mod mm;
mod mutexes;
mod pci;
mod printk;
mod refcount;
mod resv;
mod sg;
mod shmem;
mod spinlock;
mod time;
mod vmalloc;
mod warning;
mod workqueue;

pub use self::{
    buffers::*, bus::*, device_links::*, devres_group::*, dma::*, dma_coherent::*,
    driver_binding::*, driver_core::*, drm_core::*, drm_files::*, err::*, faux::*,
    firmware_loader::*, gem::*, io::*, kunit_test::*, mm::*, mutexes::*, pci::*, printk::*,
    refcount::*, resv::*, sg::*, shmem::*, spinlock::*, time::*, vmalloc::*, warning::*,
    workqueue::*,
};

pub use crate::lockdep::lock_class_key;
