// SPDX-License-Identifier: Apache-2.0 OR MIT

//! C strings.
//!
//! Stands for `rust/kernel/str.rs`, and for `optional_name!` of `rust/kernel/sync.rs`. `CStr` is that
//! of the standard library, as in the kernel.

mod cstring;

pub use self::cstring::CString;
pub use core::ffi::CStr;

use core::ffi::c_char;

mod private {
    /// Keeps [`CStrExt`](super::CStrExt) to [`CStr`](super::CStr).
    pub trait Sealed {}

    impl Sealed for super::CStr {}
}

/// The kernel's additions to [`CStr`].
pub trait CStrExt: private::Sealed {
    /// Wraps a C string.
    ///
    /// # Safety
    ///
    /// `ptr` must point to bytes that end with a NUL, are valid and do not change during `'a`.
    unsafe fn from_char_ptr<'a>(ptr: *const c_char) -> &'a Self;

    /// Returns the string as C code takes it.
    fn as_char_ptr(&self) -> *const c_char;
}

impl CStrExt for CStr {
    #[inline]
    unsafe fn from_char_ptr<'a>(ptr: *const c_char) -> &'a Self {
        // SAFETY: The caller's promise is what `CStr::from_ptr()` asks for.
        unsafe { CStr::from_ptr(ptr) }
    }

    #[inline]
    fn as_char_ptr(&self) -> *const c_char {
        self.as_ptr()
    }
}

/// Makes a `&'static CStr` of a string literal, when this is compiled.
///
/// A literal with a NUL in it does not compile. Where the text is written out, `c"..."` says the
/// same; this is for texts made by [`concat!`] and [`stringify!`].
///
/// # Examples
///
/// ```
/// use kernel::c_str;
///
/// assert_eq!(c_str!(concat!("gpu", 0)), c"gpu0");
/// ```
#[macro_export]
macro_rules! c_str {
    ($text:expr) => {{
        const TEXT: &$crate::str::CStr =
            match $crate::str::CStr::from_bytes_with_nul(::core::concat!($text, "\0").as_bytes()) {
                ::core::result::Result::Ok(text) => text,
                ::core::result::Result::Err(_) => ::core::panic!("the text contains a NUL"),
            };
        TEXT
    }};
}

/// Returns the given name, or `file:line` if there is none, as a `&'static CStr`.
///
/// For macros that name what they make, such as [`new_mutex!`](crate::sync::new_mutex).
///
/// # Examples
///
/// ```
/// use kernel::optional_name;
///
/// assert_eq!(optional_name!("queue"), c"queue");
/// assert!(optional_name!().to_str().unwrap().contains(".rs:"));
/// ```
#[macro_export]
macro_rules! optional_name {
    () => {
        $crate::c_str!(::core::concat!(::core::file!(), ":", ::core::line!()))
    };
    ($name:literal) => {
        $crate::c_str!($name)
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_c_and_back() {
        let name = c"render";
        // SAFETY: The pointer is that of a literal.
        let back = unsafe { CStr::from_char_ptr(name.as_char_ptr()) };
        assert_eq!(back, name);
    }

    #[test]
    fn names() {
        assert_eq!(crate::optional_name!("a"), c"a");
        let here = concat!(file!(), ":", line!());
        assert_ne!(crate::optional_name!().to_str(), Ok(here));
        assert!(crate::optional_name!()
            .to_bytes()
            .starts_with(file!().as_bytes()));
    }
}
