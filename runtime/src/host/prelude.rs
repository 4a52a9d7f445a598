// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The names that most driver code uses: `use kernel::prelude::*;`.
//!
//! Stands for `rust/kernel/prelude.rs`, as far as what it names exists here.

#[doc(no_inline)]
pub use core::{
    ffi::{
        c_char, c_int, c_long, c_longlong, c_schar, c_short, c_uchar, c_uint, c_ulong, c_ulonglong,
        c_ushort, c_void, CStr,
    },
    mem::{align_of, align_of_val, size_of, size_of_val},
    pin::Pin,
};

#[doc(no_inline)]
pub use ::pin_init::{init, pin_init, InPlaceWrite, Init, PinInit};

// As pin-init's, for a crate that does not depend on it.
#[doc(no_inline)]
pub use devres_lazy_pin_macros::{kunit_tests, pin_data, pinned_drop, vtable};

#[doc(no_inline)]
pub use crate::init::Zeroable;

// The crate, for paths such as `pin_init::pin_init_scope`.
#[doc(no_inline)]
pub use crate::init::pin_init_crate as pin_init;

#[doc(no_inline)]
pub use crate::{
    alloc::{flags::*, KBox, KVBox, KVVec, KVec, VBox, VVec},
    build_assert::{build_assert, build_error, const_assert, static_assert},
    dev_alert, dev_crit, dev_dbg, dev_emerg, dev_err, dev_info, dev_notice, dev_warn,
    error::{code::*, Error, Result},
    fmt::fmt,
    init::InPlaceInit,
    pr_alert, pr_crit, pr_debug, pr_emerg, pr_err, pr_info, pr_notice, pr_warn,
    str::CStrExt as _,
    try_init, try_pin_init,
};
