// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The pages of memory that is contiguous for the CPU only. Stands for
//! `rust/kernel/alloc/allocator/iter.rs`.

use crate::{
    bindings,
    page::{BorrowedPage, PAGE_SIZE},
};
use core::{marker::PhantomData, ptr::NonNull};

/// An iterator over the pages of memory that `vmalloc()` returned.
///
/// # Invariants
///
/// `buf` is the first byte of `size` bytes that are valid during `'a`.
pub struct VmallocPageIter<'a> {
    buf: NonNull<u8>,
    size: usize,
    index: usize,
    _lives: PhantomData<BorrowedPage<'a>>,
}

impl<'a> VmallocPageIter<'a> {
    /// The pages of `size` bytes from `buf` on.
    ///
    /// # Safety
    ///
    /// These bytes are memory of `vmalloc()` that is valid during `'a`, and `buf` is the first byte
    /// of a page. On the host any such memory will do.
    pub unsafe fn new(buf: NonNull<u8>, size: usize) -> Self {
        // INVARIANT: The caller promises it.
        Self {
            buf,
            size,
            index: 0,
            _lives: PhantomData,
        }
    }

    /// Returns the size of the memory in bytes.
    #[inline]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Returns how many pages there are in all.
    #[inline]
    pub fn page_count(&self) -> usize {
        self.size.div_ceil(PAGE_SIZE)
    }
}

impl<'a> Iterator for VmallocPageIter<'a> {
    type Item = BorrowedPage<'a>;

    fn next(&mut self) -> Option<BorrowedPage<'a>> {
        if self.index == self.page_count() {
            return None;
        }
        let addr = self.buf.as_ptr().wrapping_add(self.index * PAGE_SIZE);
        self.index += 1;

        // SAFETY: By the type's invariants there is memory.
        let page = unsafe { bindings::vmalloc_to_page(addr.cast()) };
        // SAFETY: The page is valid as long as its memory.
        NonNull::new(page).map(|page| unsafe { BorrowedPage::from_raw(page) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.page_count() - self.index;
        (left, Some(left))
    }
}
