// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The protocol: the sources that are compiled for the host, for the model checker and in the
//! kernel, under the kernel's own paths.

pub(crate) mod lazy;
pub(crate) mod mapped;
