// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A region of I/O memory that nothing is known of but its size: a part of `rust/kernel/io.rs`.

use crate::{
    prelude::*,
    ptr::{Alignment, KnownSize},
};
use core::ptr;

/// A region of at least `SIZE` bytes.
///
/// # Invariants
///
/// Its size is a multiple of 4, and at least `SIZE`.
#[repr(C, align(4))]
pub struct Region<const SIZE: usize = 0> {
    inner: [u8],
}

impl<const SIZE: usize> Region<SIZE> {
    /// Makes a pointer to a region. Unless `base` and `size` are multiples of 4, and `size` is at
    /// least `SIZE`, it is not a valid one.
    #[inline]
    pub fn ptr_from_raw_parts_mut(base: *mut u8, size: usize) -> *mut Self {
        // CAST: A region is a slice of bytes, and has its length as metadata.
        #[allow(clippy::ptr_as_ptr, reason = "`cast()` is for sized types")]
        {
            ptr::slice_from_raw_parts_mut(base, size) as *mut Self
        }
    }

    /// Makes a pointer to a region.
    ///
    /// # Errors
    ///
    /// `EINVAL` unless `base` and `size` are multiples of 4, and `size` is at least `SIZE`.
    #[inline]
    pub fn ptr_try_from_raw_parts_mut(base: *mut u8, size: usize) -> Result<*mut Self> {
        if size < SIZE || base.addr() % 4 != 0 || size % 4 != 0 {
            return Err(EINVAL);
        }

        Ok(Self::ptr_from_raw_parts_mut(base, size))
    }
}

impl<const SIZE: usize> KnownSize for Region<SIZE> {
    const MIN_SIZE: usize = SIZE;
    const MIN_ALIGN: Alignment = Alignment::new::<4>();

    #[inline]
    fn size(p: *const Self) -> usize {
        // CAST: A region has the length of its slice as metadata.
        #[allow(clippy::ptr_as_ptr, reason = "`cast()` is for sized types")]
        let slice = p as *const [u8];
        slice.len()
    }
}
