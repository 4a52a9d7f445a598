// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The slots' place at unbind, as a registration takes it.
//!
//! One source for the host and the kernel, under the same rule as the slot.

use super::lazy::prepare;
use crate::{
    device::{
        Bound,
        Device, //
    },
    prelude::*,
};

/// Gives the slots of a device their place at unbind, in front of what the caller adds next.
///
/// This is [`prepare()`] for `register()`, which also works while unbind is under way. A device
/// without a registry gets none then, and needs none: no slot is populated before the next binding.
///
/// # Errors
///
/// [`ENOMEM`] if there is no memory.
///
/// # Context
///
/// May sleep: it allocates memory with [`GFP_KERNEL`].
pub(crate) fn take(dev: &Device<Bound>) -> Result {
    match prepare(dev) {
        // Unbind is under way. `prepare()` and `populate()` fail until the next binding.
        Err(error) if error == ENXIO => Ok(()),
        result => result,
    }
}
