// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Pages. Stands for `rust/kernel/page.rs`.
//!
//! A host page is 4 KiB whatever the machine uses, so that tests count the same pages everywhere.
//! A page is part of memory that another value owns. No function allocates single pages.

use crate::bindings;
use core::{marker::PhantomData, ops::Deref, ptr::NonNull};

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
/// use kernel::page::{page_align, PAGE_SIZE};
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

/// A page: `struct page`.
///
/// # Invariants
///
/// `page` is valid.
pub struct Page {
    page: NonNull<bindings::page>,
}

// SAFETY: No thread is tied to a page.
unsafe impl Send for Page {}
// SAFETY: A shared page only gives its address away.
unsafe impl Sync for Page {}

impl Page {
    /// Returns the `struct page`.
    pub fn as_ptr(&self) -> *mut bindings::page {
        self.page.as_ptr()
    }
}

/// A [`Page`] of memory that is borrowed during `'a`.
pub struct BorrowedPage<'a>(Page, PhantomData<&'a Page>);

impl<'a> BorrowedPage<'a> {
    /// Borrows a page.
    ///
    /// # Safety
    ///
    /// `ptr` points to a page, which stays valid during `'a`.
    pub unsafe fn from_raw(ptr: NonNull<bindings::page>) -> Self {
        // INVARIANT: The caller promises it.
        Self(Page { page: ptr }, PhantomData)
    }
}

impl Deref for BorrowedPage<'_> {
    type Target = Page;

    fn deref(&self) -> &Page {
        &self.0
    }
}

/// Memory that is made of pages, such as what `vmalloc()` returns.
///
/// # Examples
///
/// ```
/// use kernel::{page::{AsPageIter, PAGE_SIZE}, prelude::*};
///
/// let mut buffer = VVec::from_elem(0_u8, 2 * PAGE_SIZE, GFP_KERNEL)?;
/// assert_eq!(buffer.page_iter().count(), 2);
/// # Ok::<(), Error>(())
/// ```
pub trait AsPageIter {
    /// The iterator over the pages.
    type Iter<'a>: Iterator<Item = BorrowedPage<'a>>
    where
        Self: 'a;

    /// Returns the pages, in order.
    fn page_iter(&mut self) -> Self::Iter<'_>;
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
