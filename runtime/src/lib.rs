// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Lazily mapped per-device resources for Rust drivers in the Linux kernel, on the host.
//!
//! A driver object owns a resource that is mapped on first use, belongs to one device, must be gone
//! when that device's driver is unbound, and is read from hot paths.
//! [`#[devres_lazy]`](macro@devres_lazy) makes that one annotation on one field:
//!
//! ```
//! use kernel::{
//!     device::Device,
//!     devres_lazy,
//!     new_lazy,
//!     prelude::*,
//!     sync::aref::ARef,
//!     testing::TestDevice, //
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
//! - [`devres::Lazy`], the slot behind a lazy field, [`devres::Mapped`], the resource of form B,
//!   `devres::Batched`, a resource that is there from the start, and [`devres::prepare()`]: the
//!   protocol, one source for the host and for the kernel.
//! - Everything else is the *kernel's* vocabulary under the kernel's own paths, so that a driver
//!   file compiles against either by changing the crate's name, and driver objects are unit-tested
//!   with `cargo test`. What the kernel would warn about is a loud failure here.
//! - [`testing`] has what only the host has: devices that are bound and unbound at will, failing
//!   allocations, the ledger of DMA mappings.
//!
//! # Features
//!
//! - `attribute` (default): the attribute itself. Without it the crate is what the printed form
//!   needs, which `cargo devres-lazy expand` makes for who commits that instead of the macro.

extern crate pinned_init as pin_init;
// The attributes of the prelude name this crate as its users do.
extern crate self as kernel;

mod host;
mod protocol;

use host::{
    fault,
    lockdep,
    parking,
    raw_lock,
    signal,
    unwind,
    wait, //
};

/// # Examples
///
/// Form A, with everything that can be asked for:
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
/// ### What it is
///
/// An `init` field whose resource takes more than 256 bytes.
///
/// ### Why is this bad?
///
/// The slot stores its resource inline. Each object grows by the size of the resource, also an
/// object that never maps it. From 256 bytes on, the kernel's slabs have powers of two as sizes,
/// so the object takes up to twice its size in memory. An `init` expression that makes the resource
/// by value may also put it on the stack first, of which the kernel has 16 KiB.
///
/// A small resource is better off inline. A box takes 8 bytes in each object, one allocation when
/// the resource is mapped, and one more load in each access.
///
/// ### Example
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
/// assert_eq!(size_of::<Queue>(), 4176);
/// ```
///
/// Use instead:
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
/// assert_eq!(size_of::<Queue>(), 88);
/// ```
///
/// The accessor returns the same `&[u64; 512]`: its target is what the box derefs to.
#[cfg(feature = "attribute")]
pub use devres_lazy_macros::devres_lazy;

pub use host::{
    alloc,
    bindings,
    build_assert,
    device,
    device_id,
    dma,
    drm,
    error,
    faux,
    fmt,
    init,
    io,
    page,
    pci,
    prelude,
    print,
    ptr,
    revocable,
    scatterlist,
    str,
    sync,
    testing,
    time,
    transmute,
    types, //
};

pub mod devres {
    //! Resources that a device's driver releases when it is unbound.
    //!
    //! C header: `include/linux/device/devres.h`.
    //!
    //! # Examples
    //!
    //! [`Lazy`]: what the generated accessors do, by hand:
    //!
    //! ```
    //! use kernel::{
    //!     device::{Bound, Device},
    //!     devres::Lazy,
    //!     new_lazy,
    //!     prelude::*,
    //!     testing::TestDevice,
    //! };
    //!
    //! fn answer<'a>(slot: &'a Lazy<u32>, dev: &'a Device<Bound>) -> Result<&'a u32> {
    //!     if let Some(answer) = slot.get(dev) {
    //!         return Ok(answer);
    //!     }
    //!
    //!     let slot = slot.lock();
    //!     if let Some(answer) = slot.get(dev) {
    //!         return Ok(answer);
    //!     }
    //!
    //!     slot.populate(dev, || Ok(42))
    //! }
    //!
    //! let mut dev = TestDevice::new(c"gpu0")?;
    //! let slot = KBox::pin_init(new_lazy!(), GFP_KERNEL)?;
    //!
    //! let bound = dev.bind()?;
    //! assert_eq!(answer(&slot, &bound), Ok(&42));
    //! bound.unbind();
    //!
    //! // The same device, bound again: the slot was revoked.
    //! let bound = dev.bind()?;
    //! assert_eq!(answer(&slot, &bound), Err(ENXIO));
    //! # Ok::<(), Error>(())
    //! ```
    //!
    //! `Batched`: a resource that is there from the start, in an object that may be one of many:
    //!
    //! ```
    //! use kernel::{
    //!     devres::Batched,
    //!     prelude::*,
    //!     testing::TestDevice,
    //! };
    //!
    //! let mut dev = TestDevice::new(c"gpu0")?;
    //! let bound = dev.bind()?;
    //! let window = KBox::pin_init(Batched::new(&bound, 0xd0_u32), GFP_KERNEL)?;
    //! assert_eq!(window.access(&bound), Ok(&0xd0));
    //!
    //! bound.unbind();
    //! assert!(window.try_access().is_none());
    //! let bound = dev.bind()?;
    //! assert_eq!(window.access(&bound), Err(ENXIO));
    //! # Ok::<(), Error>(())
    //! ```
    //!
    //! [`Map`]: a register window that a C helper caches in the object:
    //!
    //! ```
    //! use core::ptr::NonNull;
    //! use kernel::{
    //!     device::{Bound, Device},
    //!     devres::Map,
    //!     prelude::*,
    //! };
    //!
    //! struct Queue {
    //!     doorbell: u32,
    //! }
    //!
    //! struct Doorbell;
    //!
    //! // It is sound: `doorbell` is a field of the owner, which outlives the mapping and does not
    //! // move, and whose destructor is that of `#[devres_lazy]`. A marker for any owner `O` asks
    //! // for `O: TeardownFirst`.
    //! unsafe impl Map<Queue> for Doorbell {
    //!     type Target = u32;
    //!     type Keep = ();
    //!
    //!     fn keep(_: &Queue) {}
    //!
    //!     fn map(queue: &Queue, _dev: &Device<Bound>) -> Result<NonNull<u32>> {
    //!         Ok(NonNull::from(&queue.doorbell))
    //!     }
    //!
    //!     unsafe fn unmap(_: &Queue, _keep: &(), _doorbell: NonNull<u32>) {}
    //! }
    //! ```

    pub use crate::{
        host::devres::*,
        new_lazy,
        protocol::{
            batched::*,
            lazy::*,
            mapped::*, //
        },
    };
}
