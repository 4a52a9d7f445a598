// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The slot's protocol. The host and the kernel compile these sources under the kernel's own paths.
//! The model checker compiles the sources that contain the orderings.
//!
//! Each of the three provides its own modules `sys` (the system), `dep_map` (lockdep) and `unwind`
//! (panics on the host).
//!
//! - `state` has the states of a slot and all transitions between them.
//! - `registry` has the list of a device's populated slots. `devres_node` puts the registry on the
//!   device's list, and `table` finds it.
//! - `slot` stores a resource in place. `lazy`, `evictable` and `batched` are its public types.
//! - `lazy_lt` is the slot for resources that borrow the device.
//! - `pins` counts the uses of a resource that can be evicted.
//! - `mapped` has resources that are views into their owners.
//! - `place` takes the slots' place at unbind before a registration is added.

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
// The kernel gets all files of this folder but this one.
#[cfg(test)]
#[path = "../host/protocol_tests.rs"]
mod tests;

use crate::{
    host::{dep_map, sys},
    unwind,
};
