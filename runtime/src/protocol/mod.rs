// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The protocol: the sources that are compiled for the host, for the model checker and in the
//! kernel, under the kernel's own paths.
//!
//! What they need of the system that they are compiled for, and cannot name in one way for all of
//! them, is `sys`.
//!
//! A slot keeps its resource in a `container`: one that shares a registry with all others on the
//! device, or, with the feature `per-slot`, one with a `Devres` of its own.

#[cfg(not(feature = "per-slot"))]
pub(crate) mod batched;
#[cfg(not(feature = "per-slot"))]
pub(crate) mod container;
pub(crate) mod lazy;
pub(crate) mod mapped;
#[cfg(feature = "per-slot")]
pub(crate) mod per_slot;
#[cfg(not(feature = "per-slot"))]
pub(crate) mod registry;

#[cfg(not(feature = "per-slot"))]
use crate::host::sys;
#[cfg(feature = "per-slot")]
use per_slot as container;
