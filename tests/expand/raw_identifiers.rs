// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Raw identifiers: the struct, the field and the functions.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

/// A table.
#[allow(non_camel_case_types)]
pub struct r#enum;

/// A queue.
#[allow(non_camel_case_types)]
#[devres_lazy]
#[pin_data]
pub struct r#struct {
    r#dyn: ARef<Device>,

    /// The queue's translation table.
    #[lazy(
        pub fn r#match -> r#enum,
        device = &self.r#dyn,
        init = r#enum,
        peek = r#if,
        try_access = r#try,
        revoke = r#move,
    )]
    r#type: r#enum,
}
