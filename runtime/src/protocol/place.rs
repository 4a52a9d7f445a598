// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The slots' place at unbind, as a registration takes it.
//!
//! One source for the host and the kernel, under the same rule as the slot.

use super::{
    lazy::prepare,
    sys, //
};
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
    loop {
        match prepare(dev) {
            // The status stays as it is until the next binding, so `prepare()` and `populate()`
            // fail until then, unless there is a registry already.
            Err(error) if error == ENXIO && !sys::is_bound(dev) => return Ok(()),
            // A devres group was released, and the registry that was found with it. It is off the
            // list, so the next attempt finds another one, or adds one.
            Err(error) if error == ENXIO => (),
            result => return result,
        }
    }
}
