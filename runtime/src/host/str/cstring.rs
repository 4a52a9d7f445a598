// SPDX-License-Identifier: Apache-2.0 OR MIT

//! C strings that own their memory. Stands for a part of `rust/kernel/str.rs`.

use super::CStr;
use crate::{
    alloc::{flags::GFP_KERNEL, AllocError, KVec},
    error::{code::EINVAL, Error},
    fmt,
};
use core::ops::Deref;

/// A C string with memory of its own, of `kmalloc()`.
///
/// # Invariants
///
/// The bytes end with a NUL, and there is no other one.
///
/// # Examples
///
/// ```
/// use kernel::{prelude::*, str::CString};
///
/// let name = CString::try_from_fmt(fmt!("gpu{}", 0))?;
/// assert_eq!(&*name, c"gpu0");
/// assert_eq!(CString::try_from_fmt(fmt!("a\0b")).err(), Some(EINVAL));
/// # Ok::<(), Error>(())
/// ```
pub struct CString {
    buf: KVec<u8>,
}

impl CString {
    /// Makes a string of a formatted text.
    ///
    /// # Errors
    ///
    /// - `ENOMEM`.
    /// - `EINVAL` if there is a NUL in the text.
    ///
    /// # Context
    ///
    /// May sleep.
    pub fn try_from_fmt(args: fmt::Arguments<'_>) -> Result<Self, Error> {
        let text = args.to_string();
        if text.contains('\0') {
            return Err(EINVAL);
        }

        let mut buf = KVec::with_capacity(text.len() + 1, GFP_KERNEL)?;
        buf.extend_from_slice(text.as_bytes(), GFP_KERNEL)?;
        buf.push(0, GFP_KERNEL)?;
        // INVARIANT: There is no NUL in the text, and one behind it.
        Ok(Self { buf })
    }
}

impl Deref for CString {
    type Target = CStr;

    fn deref(&self) -> &CStr {
        // SAFETY: By the type invariants.
        unsafe { CStr::from_bytes_with_nul_unchecked(&self.buf) }
    }
}

impl<'a> TryFrom<&'a CStr> for CString {
    type Error = AllocError;

    fn try_from(cstr: &'a CStr) -> Result<Self, AllocError> {
        let mut buf = KVec::new();
        buf.extend_from_slice(cstr.to_bytes_with_nul(), GFP_KERNEL)?;
        // INVARIANT: They are the bytes of a C string.
        Ok(Self { buf })
    }
}

impl fmt::Debug for CString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> core::fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
