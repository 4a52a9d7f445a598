// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Formatting.
//!
//! Stands for `rust/kernel/fmt.rs`, and for `fmt!` of `rust/macros`.
//!
//! The kernel has a trait [`Display`] of its own, so that C strings can be printed. [`fmt!`] prints
//! its arguments by that trait.
//!
//! # Differences from the kernel
//!
//! A pointer is printed as it is, not hashed. An argument that is captured in the format string, as
//! in `"{name}"`, has to implement [`core::fmt::Display`].

#[doc(no_inline)]
pub use core::fmt::{Arguments, Debug, Error, Formatter, Result, Write};

use core::fmt::{Binary, LowerExp, LowerHex, Octal, Pointer, UpperExp, UpperHex};

pub use crate::fmt_macro as fmt;

/// Makes [`Arguments`] for a format string, as [`core::format_args!`] does, with arguments that
/// implement [`Display`].
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
///
/// let name = c"gpu0";
/// assert_eq!(fmt!("{} has {count} queues", name, count = 4).to_string(), "gpu0 has 4 queues");
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! fmt_macro {
    ($format:expr $(,)?) => {
        ::core::format_args!($format)
    };
    ($format:expr, $($arg:tt)+) => {
        $crate::fmt_macro!(@ [$format] $($arg)+)
    };
    (@ [$($done:tt)*]) => {
        ::core::format_args!($($done)*)
    };
    (@ [$($done:tt)*] $name:ident = $arg:expr $(, $($rest:tt)*)?) => {
        $crate::fmt_macro!(
            @ [$($done)*, $name = $crate::fmt::Adapter(&$arg)] $($($rest)*)?
        )
    };
    (@ [$($done:tt)*] $arg:expr $(, $($rest:tt)*)?) => {
        $crate::fmt_macro!(@ [$($done)*, $crate::fmt::Adapter(&$arg)] $($($rest)*)?)
    };
}

/// An argument of [`fmt!`], with [`Display`] as its `{}`.
#[doc(hidden)]
pub struct Adapter<T>(pub T);

/// Implements traits of [`core::fmt`] by what the adapter wraps.
macro_rules! forward {
    ($($format:ident),* $(,)?) => {
        $(
            impl<T: $format> $format for Adapter<T> {
                fn fmt(&self, f: &mut Formatter<'_>) -> Result {
                    self.0.fmt(f)
                }
            }
        )*
    };
}

forward!(Binary, Debug, LowerExp, LowerHex, Octal, UpperExp, UpperHex);

impl<T: Pointer> Pointer for Adapter<&T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.0.fmt(f)
    }
}

impl<T: ?Sized + Display> core::fmt::Display for Adapter<&T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.0.fmt(f)
    }
}

/// Values that messages can contain: the `{}` of [`fmt!`] and of all macros that print.
///
/// # Examples
///
/// ```
/// use kernel::{fmt, prelude::*};
///
/// struct Revision(u32);
///
/// impl fmt::Display for Revision {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         write!(f, "rev. {}", self.0)
///     }
/// }
///
/// assert_eq!(fmt!("{}", Revision(3)).to_string(), "rev. 3");
/// ```
pub trait Display {
    /// Writes the value.
    ///
    /// # Errors
    ///
    /// Those of the formatter.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result;
}

impl<T: ?Sized + Display> Display for &T {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + Display> Display for &mut T {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        (**self).fmt(f)
    }
}

impl Display for crate::str::CStr {
    /// Writes the bytes that are printable ASCII as they are, and others as `\xNN`.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for &byte in self.to_bytes() {
            if (0x20..0x7f).contains(&byte) {
                f.write_char(byte.into())?;
            } else {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Implements [`Display`] for types that implement the trait of [`core::fmt`].
macro_rules! display {
    ($($({ $($generics:tt)* })? $type:ty $(where { $($bound:tt)* })?),* $(,)?) => {
        $(
            impl $(<$($generics)*>)? Display for $type $(where $($bound)*)? {
                fn fmt(&self, f: &mut Formatter<'_>) -> Result {
                    core::fmt::Display::fmt(self, f)
                }
            }
        )*
    };
}

display! {
    bool,
    char,
    core::panic::PanicInfo<'_>,
    Arguments<'_>,
    i128,
    i16,
    i32,
    i64,
    i8,
    isize,
    str,
    u128,
    u16,
    u32,
    u64,
    u8,
    usize,
    {T: ?Sized} crate::sync::Arc<T> where { crate::sync::Arc<T>: core::fmt::Display },
    {T: ?Sized} crate::sync::UniqueArc<T> where { crate::sync::UniqueArc<T>: core::fmt::Display },
    // Not in the kernel: the types of tests.
    String,
    crate::error::Error,
}

#[cfg(test)]
mod tests {
    use super::{fmt, Adapter};

    #[test]
    fn arguments_of_each_form() {
        let captured = 5;
        // In one statement: before Rust 1.89, the arguments do not outlive it.
        let text = fmt!(
            "{} {name} {captured} {0:>4} {:#x} {:?}",
            1,
            0x10,
            "text",
            name = c"na\xffme",
        )
        .to_string();
        assert_eq!(text, "1 na\\xffme 5    1 0x10 \"text\"");
        assert_eq!(fmt!("plain").to_string(), "plain");
        assert_eq!(fmt!("{}", &mut "borrowed",).to_string(), "borrowed");
    }

    #[test]
    fn other_formats_are_those_of_the_value() {
        assert_eq!(format!("{:b} {:o}", Adapter(&5), Adapter(&8)), "101 10");
        assert_eq!(
            format!("{:X} {:e} {:E}", Adapter(&255), Adapter(&10), Adapter(&10)),
            "FF 1e1 1E1"
        );

        let value = 5u8;
        let pointer = &raw const value;
        assert_eq!(fmt!("{:p}", pointer).to_string(), format!("{pointer:p}"));
    }
}
