// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The protocol: the sources that are compiled for the host, for the model checker and in the
//! kernel, under the kernel's own paths.
//!
//! What they need of the system that they are compiled for, and cannot name in one way for all of
//! them, is in three modules of each: `sys`, `dep_map` (lockdep) and `unwind` (panics on the host).
//!
//! - `state` has the states of a slot, and every change of them.
//! - `registry` has the list of a device's populated slots, `devres_node` puts it on the device,
//!   and `table` finds it.
//! - `slot` keeps a resource in place. `lazy`, `evictable` and `batched` are what users see of it.
//! - `lazy_lt` is the slot for resources that borrow the device.
//! - `pins` counts who uses a resource that can be evicted.
//! - `mapped` has resources that are views into their owners.
//! - `place` is what a registration calls first.

pub(crate) mod batched;
pub(crate) mod devres_node;
pub(crate) mod evictable;
pub(crate) mod lazy;
pub(crate) mod lazy_lt;
pub(crate) mod mapped;
pub(crate) mod pins;
pub(crate) mod place;
pub(crate) mod registry;
pub(crate) mod slot;
pub(crate) mod state;
pub(crate) mod table;

use crate::{
    host::{dep_map, sys},
    unwind,
};
