// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Page sizes and rounding, as in `rust/kernel/page.rs`.
//!
//! A host page is 4 KiB whatever the machine uses, so that tests count the same pages everywhere.
//! Pages themselves are part of the C model (`struct page` in [`bindings`]). Uses nothing but
//! [`bindings`].

use crate::bindings;

/// Base-2 logarithm of [`PAGE_SIZE`]: `PAGE_SHIFT`, for the 4 KiB pages of x86.
pub const PAGE_SHIFT: usize = bindings::PAGE_SHIFT;

/// Bytes in one page: `PAGE_SIZE`.
pub const PAGE_SIZE: usize = bindings::PAGE_SIZE;

/// Clears the offset inside a page from an address: `PAGE_MASK`.
pub const PAGE_MASK: usize = !(PAGE_SIZE - 1);

/// Rounds a number of bytes, or an address, up to a multiple of [`PAGE_SIZE`]: `PAGE_ALIGN()`.
///
/// [`None`] where the result does not fit; the C macro wraps around there.
///
/// # Examples
///
/// ```
/// use devres_lazy::page::{
///     page_align,
///     PAGE_SIZE, //
/// };
///
/// assert_eq!(page_align(0), Some(0));
/// assert_eq!(page_align(1), Some(PAGE_SIZE));
/// assert_eq!(page_align(PAGE_SIZE), Some(PAGE_SIZE));
/// assert_eq!(page_align(usize::MAX), None);
/// ```
#[inline]
pub const fn page_align(addr: usize) -> Option<usize> {
    match addr.checked_add(PAGE_SIZE - 1) {
        Some(sum) => Some(sum & PAGE_MASK),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_up_to_the_last_page_that_fits() {
        let last = usize::MAX & PAGE_MASK;

        assert_eq!(PAGE_SIZE, 1 << PAGE_SHIFT);
        assert_eq!(page_align(PAGE_SIZE + 1), Some(2 * PAGE_SIZE));
        assert_eq!(page_align(last), Some(last));
        assert_eq!(page_align(last + 1), None);
    }
}
