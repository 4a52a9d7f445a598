// SPDX-License-Identifier: Apache-2.0 OR MIT

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
//!     devres::{Entry, Lazy},
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
//!     match slot.entry(dev)? {
//!         Entry::Populated(answer) => Ok(answer),
//!         Entry::Vacant(slot) => slot.populate(|| Ok(42)),
//!     }
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
//! `Batched`: a resource that is made with its object, of which a device may have many:
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
//! // SAFETY: `doorbell` is a field of the owner, and valid until the owner is freed. The
//! // destructor of `Queue` is that of `#[devres_lazy]`. No code writes to `doorbell`.
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
    protocol::{batched::*, evictable::*, lazy::*, lazy_lt::*, mapped::*},
};

// The parts that the sample's suite needs, which is in a crate of its own.
#[cfg(feature = "attribute")]
pub(crate) use crate::host::kunit_lockdep;
#[cfg(feature = "attribute")]
pub(crate) mod kunit_skip;

// The suites of the kernel, which run here from the same files. `kunit_machine` and its like are
// the host's own.
#[cfg(test)]
use crate::{
    host::{
        devres::register_foreign, kunit_driver, kunit_machine, kunit_pci, kunit_shrinker,
        kunit_stress,
    },
    protocol::place,
};
#[cfg(test)]
#[path = "../../kernel/tree/rust/kernel/devres/bar_kunit.rs"]
mod bar_kunit;
#[cfg(test)]
#[path = "../../kernel/tree/rust/kernel/devres/batched_kunit.rs"]
mod batched_kunit;
#[cfg(test)]
#[path = "../../kernel/tree/rust/kernel/devres/callbacks_kunit.rs"]
#[allow(
    clippy::cast_lossless,
    reason = "a `c_ulong` is a `usize` in the kernel"
)]
mod callbacks_kunit;
#[cfg(test)]
#[path = "../../kernel/tree/rust/kernel/devres/evict_kunit.rs"]
mod evict_kunit;
#[cfg(test)]
#[path = "../../kernel/tree/rust/kernel/devres/kunit_gate.rs"]
mod kunit_gate;
#[cfg(test)]
#[path = "../../kernel/tree/rust/kernel/devres/kunit_support.rs"]
pub(crate) mod kunit_support;
#[cfg(test)]
#[path = "../../kernel/tree/rust/kernel/devres/lazy_kunit.rs"]
mod lazy_kunit;
#[cfg(test)]
#[path = "../../kernel/tree/rust/kernel/devres/lazy_lt_kunit.rs"]
mod lazy_lt_kunit;
#[cfg(test)]
#[path = "../../kernel/tree/rust/kernel/devres/order_kunit.rs"]
mod order_kunit;
#[cfg(test)]
#[path = "../../kernel/tree/rust/kernel/devres/phases_kunit.rs"]
pub(crate) mod phases_kunit;
#[cfg(test)]
#[path = "../../kernel/tree/rust/kernel/devres/registry_kunit.rs"]
mod registry_kunit;
#[cfg(test)]
#[path = "../../kernel/tree/rust/kernel/devres/stress_kunit.rs"]
pub(crate) mod stress_kunit;
