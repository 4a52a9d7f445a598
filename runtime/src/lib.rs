// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Lazily mapped per-device resources for Rust drivers in the Linux kernel, on the host.
//!
//! Some driver resources are mapped on first use, belong to one device, must be released when that
//! device's driver is unbound, and are read on hot paths.
//! [`#[devres_lazy]`](macro@devres_lazy) makes such a resource one annotation on one field:
//!
//! ```
//! use kernel::{
//!     device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
//! };
//!
//! /// A table of 16 entries.
//! struct Table([u32; 16]);
//!
//! #[devres_lazy]
//! #[pin_data]
//! struct Queue {
//!     dev: ARef<Device>,
//!
//!     /// The queue's translation table.
//!     #[lazy(
//!         fn table -> Table,
//!         device = &self.dev,
//!         init = Table([0; 16]),
//!     )]
//!     table: Table,
//! }
//!
//! # fn main() -> Result {
//! let mut gpu = TestDevice::new(c"gpu0")?;
//! let bound = gpu.bind()?;
//!
//! let dev = bound.device();
//! let queue = KBox::try_pin_init(
//!     try_pin_init!(Queue {
//!         dev,
//!         table <- new_lazy!(),
//!     }),
//!     GFP_KERNEL,
//! )?;
//!
//! assert_eq!(queue.table(&bound)?.0.len(), 16);
//! # Ok(())
//! # }
//! ```
//!
//! # What is here
//!
//! - The slot, one source for the host and for the kernel. [`devres::Lazy`] is the type of a lazy
//!   field, [`devres::Mapped`] is the resource of a `map` field, and [`devres::Batched`] is a
//!   resource that is made with its object. [`devres::prepare()`] takes the slots' place at unbind.
//! - [`testing`], on the host only: devices that tests bind and unbind, failing allocations, and
//!   the ledger of DMA mappings.
//! - The *kernel's* vocabulary under the kernel's own paths. A driver file compiles unchanged, on
//!   the host and in the kernel, and `cargo test` runs its tests. The host panics where the kernel
//!   would warn.
//!
//! # Features
//!
//! - `attribute` (default): the attribute. A crate that commits the expansion, which
//!   `cargo devres-lazy expand` prints, does not need this feature.

extern crate pinned_init as pin_init;
// The attributes of the prelude name this crate as its users do.
extern crate self as kernel;

pub mod devres;

mod host;
mod protocol;

use host::{fault, lockdep, parking, raw_lock, signal, unwind, wait};

/// Writes the accessors and the teardown of a resource that is mapped on first use, belongs to one
/// device, and is dropped when that device's driver is unbound.
///
/// # Examples
///
/// An `init` field with every key that it can have:
///
/// ```
/// use kernel::{device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef};
///
/// /// A translation table with `N` entries.
/// pub struct Table<const N: usize>(pub [u32; N]);
///
/// #[devres_lazy]
/// #[pin_data]
/// pub struct Queue<const N: usize> {
///     dev: ARef<Device>,
///
///     /// The queue's translation table.
///     #[lazy(
///         pub fn table -> Table<N>,
///         device = &self.dev,
///         init = Table([0; N]),
///         peek = table_if_mapped,
///         try_access = try_table,
///         revoke = unmap_table,
///     )]
///     table: Table<N>,
/// }
///
/// impl<const N: usize> Queue<N> {
///     pub fn new(dev: &Device) -> Result<Pin<KBox<Self>>> {
///         KBox::try_pin_init(
///             try_pin_init!(Self {
///                 dev: dev.into(),
///                 table <- new_lazy!("Queue::table"),
///             }),
///             GFP_KERNEL,
///         )
///     }
/// }
/// # use kernel::testing::TestDevice;
/// # let mut dev = TestDevice::new(c"gpu0")?;
/// # let bound = dev.bind()?;
/// # let mut queue = Queue::<16>::new(&bound)?;
/// # assert!(queue.table_if_mapped(&bound)?.is_none());
/// # assert_eq!(queue.table(&bound)?.0.len(), 16);
/// # assert!(queue.try_table().is_some());
/// # queue.as_mut().unmap_table();
/// # assert!(queue.try_table().is_none());
/// # Ok::<(), Error>(())
/// ```
///
/// # A large resource belongs in a box
///
/// The rule holds for every `init` field whose resource takes more than 256 bytes.
///
/// The slot stores its resource inline. Each object grows by the size of the resource, also an
/// object that never maps it. From 256 bytes on, the kernel's slabs have powers of two as sizes,
/// so the object takes up to twice its size in memory. An `init` expression that makes the resource
/// by value may also put it on the stack first, of which the kernel has 16 KiB.
///
/// A small resource is better off inline. A box takes 8 bytes in each object, one allocation when
/// the resource is mapped, and one more load in each access.
///
/// Inline:
///
/// ```
/// # use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};
/// #[devres_lazy]
/// #[pin_data]
/// struct Queue {
///     dev: ARef<Device>,
///
///     #[lazy(
///         pub fn table -> [u64; 512],
///         device = &self.dev,
///         init = [0; 512],
///     )]
///     table: [u64; 512],
/// }
///
/// // A slab object of 8,192 bytes in the kernel, mapped or not.
/// # #[cfg(target_pointer_width = "64")]
/// assert_eq!(size_of::<Queue>(), 4168);
/// ```
///
/// In a box:
///
/// ```
/// # use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};
/// #[devres_lazy]
/// #[pin_data]
/// struct Queue {
///     dev: ARef<Device>,
///
///     #[lazy(
///         pub fn table -> [u64; 512],
///         device = &self.dev,
///         init = KBox::zeroed(GFP_KERNEL)?,
///     )]
///     table: KBox<[u64; 512]>,
/// }
///
/// // And 4,096 bytes once the table is mapped.
/// # #[cfg(target_pointer_width = "64")]
/// assert_eq!(size_of::<Queue>(), 80);
/// ```
///
/// The accessor returns the same `&[u64; 512]`: its target is what the box derefs to.
#[cfg(feature = "attribute")]
pub use devres_lazy_macros::devres_lazy;

pub use host::{
    alloc, bindings, build_assert, device, device_id, dma, drm, error, faux, firmware, fmt, init,
    io, kunit, page, pci, prelude, print, processor, ptr, revocable, scatterlist, str, sync,
    testing, time, transmute, types, workqueue,
};
