// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The iterators that take values out of a vector.
//!
//! Stands for a part of `rust/kernel/alloc/kvec.rs`.

use super::Vec;
use crate::alloc::{Allocator, Flags};
use core::{mem::ManuallyDrop, ptr, slice};

/// The values of a [`Vec`], which it owns.
///
/// # Invariants
///
/// - `values` has a length of zero, and its memory has room for `end` values.
/// - Those from `next` to `end` are there, and are nobody else's.
pub struct IntoIter<T, A: Allocator> {
    values: Vec<T, A>,
    next: usize,
    end: usize,
}

impl<T, A: Allocator> IntoIter<T, A> {
    /// Puts the values that are left into a vector again, which keeps its memory. The vector is
    /// shrunk to its length if it can be, and this does not fail.
    ///
    /// # Context
    ///
    /// Does not sleep.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{kvec, prelude::*};
    ///
    /// let mut values = kvec![1, 2, 3]?.into_iter();
    /// assert_eq!(values.next(), Some(1));
    /// assert_eq!(values.collect(GFP_KERNEL), [2, 3]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn collect(self, flags: Flags) -> Vec<T, A> {
        let mut this = ManuallyDrop::new(self);
        let left = this.len();
        let start = this.values.as_mut_ptr();

        // SAFETY: By the type invariants these values are in the memory.
        let first = unsafe { start.add(this.next) };
        // SAFETY: There is room for them at the start.
        unsafe { ptr::copy(first, start, left) };

        // SAFETY: `this` is not used any more.
        let mut values = unsafe { ptr::read(&raw const this.values) };
        // SAFETY: They were copied there.
        unsafe { values.inc_len(left) };
        // A vector that cannot shrink keeps its memory.
        let _ = values.resize_memory(left, flags);
        values
    }

    fn len(&self) -> usize {
        self.end - self.next
    }
}

impl<T, A: Allocator> Iterator for IntoIter<T, A> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        if self.next == self.end {
            return None;
        }

        // SAFETY: By the type invariants the value is in the memory.
        let value = unsafe { self.values.as_ptr().add(self.next) };
        // INVARIANT: It is the caller's now.
        self.next += 1;
        // SAFETY: By the type invariants the value is there, and it is not used again.
        Some(unsafe { value.read() })
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), Some(self.len()))
    }
}

impl<T, A: Allocator> Drop for IntoIter<T, A> {
    fn drop(&mut self) {
        let left = self.len();

        // SAFETY: By the type invariants these values are in the memory.
        let first = unsafe { self.values.as_mut_ptr().add(self.next) };
        // INVARIANT: None are left. `values` frees the memory, also if a destructor panics.
        self.next = self.end;
        // SAFETY: By the type invariants they are there, and they are not used again.
        unsafe { ptr::drop_in_place(ptr::slice_from_raw_parts_mut(first, left)) };
    }
}

impl<T, A: Allocator> IntoIterator for Vec<T, A> {
    type Item = T;
    type IntoIter = IntoIter<T, A>;

    /// Makes an iterator that owns the values and the memory.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{kvec, prelude::*};
    ///
    /// let mut sum = 0;
    /// for value in kvec![1, 2, 3]? {
    ///     sum += value;
    /// }
    /// assert_eq!(sum, 6);
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    fn into_iter(mut self) -> IntoIter<T, A> {
        // INVARIANT: The values that were there are the iterator's.
        let end = self.take_len();
        IntoIter {
            values: self,
            next: 0,
            end,
        }
    }
}

/// The values of a [`Vec`], which keeps its memory: see [`Vec::drain_all()`].
///
/// # Invariants
///
/// The values of `elements` are nobody else's.
pub struct DrainAll<'vec, T> {
    elements: slice::IterMut<'vec, T>,
}

impl<'vec, T> DrainAll<'vec, T> {
    /// Makes an iterator that owns values.
    ///
    /// # Safety
    ///
    /// No other code uses or drops the values any more.
    pub(super) unsafe fn new(elements: &'vec mut [T]) -> Self {
        // INVARIANT: By the safety requirement.
        Self {
            elements: elements.iter_mut(),
        }
    }
}

impl<T> Iterator for DrainAll<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        // SAFETY: By the type invariant the value is there, and it is not used again.
        self.elements
            .next()
            .map(|value| unsafe { ptr::from_mut(value).read() })
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.elements.size_hint()
    }
}

impl<T> Drop for DrainAll<'_, T> {
    fn drop(&mut self) {
        let left: *mut [T] = core::mem::take(&mut self.elements).into_slice();

        // SAFETY: By the type invariant the values are there, and they are not used again.
        unsafe { ptr::drop_in_place(left) };
    }
}
