// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Assertions that hold when the code is built.
//!
//! Stands for `rust/kernel/build_assert.rs`. C header: `include/linux/build_bug.h`.
//!
//! - [`static_assert!`]: a constant expression, as an item or a statement.
//! - [`const_assert!`]: as a statement; the expression may use the generics of its function.
//! - [`build_assert!`]: the expression may also use variables.
//!
//! # Differences from the kernel
//!
//! The kernel's optimiser removes what [`build_assert!`] proves, and a call that is left fails to
//! link. A host build is not optimised, so a call that is left panics when it is reached. In a
//! constant it fails to compile, as in the kernel.

#[doc(inline)]
pub use crate::{build_assert_macro as build_assert, build_error, const_assert, static_assert};

/// The function that [`build_error!`] calls.
///
/// # Panics
///
/// Always.
#[doc(hidden)]
#[cold]
#[track_caller]
pub const fn build_error_fn(msg: &'static str) -> ! {
    panic!("{}", msg)
}

/// Asserts a constant expression, which cannot use generics. Stands for `static_assert()`.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
///
/// #[repr(C)]
/// struct Descriptor {
///     address: u64,
///     length: u32,
///     flags: u32,
/// }
///
/// static_assert!(size_of::<Descriptor>() == 16);
/// static_assert!(align_of::<Descriptor>() == 8, "the ring needs aligned descriptors");
/// ```
///
/// ```compile_fail,E0080
/// # use kernel::prelude::*;
/// static_assert!(size_of::<u32>() == 8);
/// ```
#[macro_export]
#[doc(hidden)]
macro_rules! static_assert {
    ($condition:expr $(, $arg:literal)?) => {
        const _: () = ::core::assert!($condition $(, $arg)?);
    };
}

/// Asserts a constant expression, which may use the generics of the function around it.
///
/// It is checked for each set of generics that the function is built with.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
///
/// fn ring<const ENTRIES: usize>() -> [u64; ENTRIES] {
///     const_assert!(ENTRIES.is_power_of_two(), "a ring has a power of two as its size");
///     [0; ENTRIES]
/// }
///
/// assert_eq!(ring::<4>().len(), 4);
/// ```
///
/// ```compile_fail,E0080
/// # use kernel::prelude::*;
/// fn ring<const ENTRIES: usize>() -> [u64; ENTRIES] {
///     const_assert!(ENTRIES.is_power_of_two());
///     [0; ENTRIES]
/// }
///
/// ring::<3>();
/// ```
#[macro_export]
#[doc(hidden)]
macro_rules! const_assert {
    ($condition:expr $(, $arg:literal)?) => {
        const { ::core::assert!($condition $(, $arg)?) };
    };
}

/// Marks code that must not be reachable when the code is built. Stands for `BUILD_BUG()`.
///
/// # Panics
///
/// When it is reached. In a constant it fails to compile.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
///
/// #[inline(always)]
/// fn shift(bits: u32) -> u32 {
///     1u32.checked_shl(bits).unwrap_or_else(|| build_error!("a register has 32 bits"))
/// }
///
/// assert_eq!(shift(4), 16);
/// ```
///
/// ```compile_fail,E0080
/// # use kernel::prelude::*;
/// const _: u32 = build_error!("not reachable");
/// ```
#[macro_export]
#[doc(hidden)]
macro_rules! build_error {
    () => {{
        $crate::build_assert::build_error_fn("")
    }};
    ($msg:expr) => {{
        $crate::build_assert::build_error_fn($msg)
    }};
}

/// Asserts an expression that is known when the code is built, if the function that it stands in
/// is inlined. Stands for `BUILD_BUG_ON()`.
///
/// # Panics
///
/// If the expression is false. In a constant it fails to compile.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
///
/// #[inline(always)]
/// const fn offset(register: usize) -> usize {
///     build_assert!(register < 16, "there are 16 registers");
///     register * 4
/// }
///
/// const STATUS: usize = offset(3);
/// assert_eq!(STATUS, 12);
/// ```
///
/// ```compile_fail,E0080
/// # use kernel::prelude::*;
/// const fn offset(register: usize) -> usize {
///     build_assert!(register < 16);
///     register * 4
/// }
///
/// const _: usize = offset(16);
/// ```
#[macro_export]
#[doc(hidden)]
macro_rules! build_assert_macro {
    ($cond:expr $(,)?) => {{
        if !$cond {
            $crate::build_assert::build_error_fn(::core::concat!(
                "assertion failed: ",
                ::core::stringify!($cond)
            ));
        }
    }};
    ($cond:expr, $msg:expr) => {{
        if !$cond {
            $crate::build_assert::build_error_fn($msg);
        }
    }};
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use std::panic::catch_unwind;

    fn text(f: fn()) -> String {
        let report = catch_unwind(f).expect_err("no failure");
        report.downcast_ref::<String>().cloned().expect("no text")
    }

    #[test]
    fn a_false_assertion_is_loud_when_it_is_reached() {
        fn below(limit: usize, value: usize) {
            build_assert!(value < limit);
        }

        below(2, 1);
        assert_eq!(text(|| below(2, 2)), "assertion failed: value < limit");
        assert_eq!(text(|| build_error!("unreachable")), "unreachable");
    }
}
