// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The slots' place at unbind, which `register()` takes before it adds a registration.
//!
//! The host and the kernel compile this file, under the rule of `lazy`.

use super::lazy::prepare;
use crate::{
    device::{
        Bound,
        Device, //
    },
    prelude::*,
};

/// Gives the slots of a device their place at unbind. Unbind releases everything that the caller
/// adds next before the slots.
///
/// This is [`prepare()`] for `register()`, which also has to work while unbind is under way. A
/// device without a registry then gets no registry. It needs none, as no slot is populated before
/// the next binding.
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
