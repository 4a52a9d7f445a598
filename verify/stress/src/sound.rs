// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The protocol as the runtime exports it.

pub(crate) mod lazy {
    //! Stands for the file of this name in the copies.

    pub(crate) use kernel::devres::Lazy;
}

// Each copy of the protocol compiles this file, too.
#[path = "stress.rs"]
pub(crate) mod stress;
