// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Memory-mapped I/O. Stands for `rust/kernel/io.rs`. C header: `include/asm-generic/io.h`.
//!
//! The memory is a test's own. Accesses are atomic, so that a test may play the device on another
//! thread. Offsets that the kernel refuses to build with panic here: "the kernel would not build
//! this".
//!
//! Not here: `register!`, and the methods that copy values of types with `FromBytes` and
//! `IntoBytes`.

mod backend;
mod mmio;
mod projection;
mod region;
mod sys_mem;

pub use self::{
    backend::{Io, IoBackend, IoBase, IoCapable, IoCopyable, IoLoc},
    mmio::{Mmio, MmioBackend, MmioRaw, RelaxedMmio, RelaxedMmioBackend},
    projection::ProjectHelper,
    region::Region,
    sys_mem::{SysMem, SysMemBackend},
};
use crate::bindings;
pub use crate::{io_project, io_read, io_write};

/// A physical address: `phys_addr_t`.
pub type PhysAddr = bindings::phys_addr_t;

/// The size of a resource: `resource_size_t`.
pub type ResourceSize = bindings::resource_size_t;
