// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Errors in pointers, as in `include/linux/err.h`. Uses nothing.
//!
//! The macros and inline functions of that header are reached through `rust/helpers/err.c` in the
//! kernel, hence the same names here. None of them dereferences its argument; they are `unsafe`
//! only because every binding is.

use core::ffi::{c_long, c_void};

/// The largest error number that a pointer can carry.
pub const MAX_ERRNO: usize = 4095;

/// Puts a negative error number into a pointer: `ERR_PTR()`.
///
/// # Safety
///
/// None: the pointer is only ever compared, never followed.
#[inline]
pub unsafe fn ERR_PTR(error: c_long) -> *mut c_void {
    core::ptr::without_provenance_mut(error as usize)
}

/// Whether a pointer is one of the last [`MAX_ERRNO`] addresses, and so carries an error:
/// `IS_ERR()`.
///
/// # Safety
///
/// None: `ptr` is compared, not followed.
#[inline]
pub unsafe fn IS_ERR(ptr: *const c_void) -> bool {
    ptr.addr() >= MAX_ERRNO.wrapping_neg()
}

/// Takes the negative error number out of a pointer that [`IS_ERR`]: `PTR_ERR()`.
///
/// # Safety
///
/// None: `ptr` is converted, not followed. Without [`IS_ERR`] the result means nothing.
#[inline]
pub unsafe fn PTR_ERR(ptr: *const c_void) -> c_long {
    ptr.addr() as c_long
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_addresses_are_errors() {
        for errno in [-1, -12, -4095] {
            // SAFETY: No requirements.
            let ptr = unsafe { ERR_PTR(errno) };

            // SAFETY: No requirements.
            assert!(unsafe { IS_ERR(ptr) });
            // SAFETY: No requirements.
            assert_eq!(unsafe { PTR_ERR(ptr) }, errno);
        }

        // SAFETY: No requirements.
        let below = unsafe { ERR_PTR(-4096) };
        // SAFETY: No requirements.
        assert!(!unsafe { IS_ERR(below) });
        // SAFETY: No requirements.
        assert!(!unsafe { IS_ERR(core::ptr::null()) });
    }
}
