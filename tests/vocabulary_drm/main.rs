// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The vocabulary of drivers on the host: DRM devices, their objects and the parts of both. Each
//! file tests one module of the kernel crate, as a driver uses it.

mod devres_lt;
mod driver;
mod file;
mod io;
mod kernel_items;
mod parents;
mod pci;
mod registration;
mod sg_table;
mod shmem;
mod vtable;
