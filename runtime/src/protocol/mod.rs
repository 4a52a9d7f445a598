// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The protocol: the sources that are compiled for the host, for the model checker and in the
//! kernel, under the kernel's own paths.
//!
//! What they need of the system that they are compiled for, and cannot name in one way for all of
//! them, is `sys`.
//!
//! A slot keeps its resource in a `container`, which shares a registry with all others on the
//! device.

pub(crate) mod batched;
pub(crate) mod container;
pub(crate) mod lazy;
pub(crate) mod mapped;
pub(crate) mod place;
pub(crate) mod registry;
pub(crate) mod state;

use crate::host::{
    dep_map,
    sys, //
};
