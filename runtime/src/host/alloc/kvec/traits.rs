// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The traits of a vector that make it a slice.
//!
//! Stands for a part of `rust/kernel/alloc/kvec.rs`.

use super::{VVec, Vec};
use crate::{
    alloc::{allocator::VmallocPageIter, Allocator, Box},
    page::AsPageIter,
};
use core::{
    borrow::{Borrow, BorrowMut},
    fmt,
    ops::{Deref, DerefMut, Index, IndexMut},
    slice::{self, SliceIndex},
};

impl<T, A: Allocator> Deref for Vec<T, A> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: By the type invariants these values are there, and `self` is borrowed.
        unsafe { slice::from_raw_parts(self.as_ptr(), self.len()) }
    }
}

impl<T, A: Allocator> DerefMut for Vec<T, A> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: By the type invariants these values are there, and `self` is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.as_mut_ptr(), self.len()) }
    }
}

/// All pages of the vector's memory, also those that hold no value yet.
impl<T> AsPageIter for VVec<T> {
    type Iter<'a>
        = VmallocPageIter<'a>
    where
        T: 'a;

    fn page_iter(&mut self) -> VmallocPageIter<'_> {
        let (buf, size) = (self.ptr.cast(), self.layout().size());

        // SAFETY: By the type invariants this is memory of `vmalloc()`, and `self` is borrowed.
        unsafe { VmallocPageIter::new(buf, size) }
    }
}

impl<T, A: Allocator> Borrow<[T]> for Vec<T, A> {
    #[inline]
    fn borrow(&self) -> &[T] {
        self
    }
}

impl<T, A: Allocator> BorrowMut<[T]> for Vec<T, A> {
    #[inline]
    fn borrow_mut(&mut self) -> &mut [T] {
        self
    }
}

impl<T, I: SliceIndex<[T]>, A: Allocator> Index<I> for Vec<T, A> {
    type Output = I::Output;

    #[inline]
    fn index(&self, index: I) -> &Self::Output {
        &(**self)[index]
    }
}

impl<T, I: SliceIndex<[T]>, A: Allocator> IndexMut<I> for Vec<T, A> {
    #[inline]
    fn index_mut(&mut self, index: I) -> &mut Self::Output {
        &mut (**self)[index]
    }
}

impl<'a, T, A: Allocator> IntoIterator for &'a Vec<T, A> {
    type Item = &'a T;
    type IntoIter = slice::Iter<'a, T>;

    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, T, A: Allocator> IntoIterator for &'a mut Vec<T, A> {
    type Item = &'a mut T;
    type IntoIter = slice::IterMut<'a, T>;

    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl<T, A: Allocator, const N: usize> From<Box<[T; N], A>> for Vec<T, A> {
    fn from(b: Box<[T; N], A>) -> Self {
        // SAFETY: The box of an array is given up, which has `N` values and room for no more.
        unsafe { Self::from_raw_parts(Box::into_raw(b).cast(), N, N) }
    }
}

impl<T, A: Allocator> Default for Vec<T, A> {
    #[inline]
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug, A: Allocator> fmt::Debug for Vec<T, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Eq, A: Allocator> Eq for Vec<T, A> {}

/// Compares vectors and slices by their values.
macro_rules! eq {
    ($([$($generics:tt)*] $lhs:ty, $rhs:ty;)*) => {
        $(
            impl<T: PartialEq<U>, U, $($generics)*> PartialEq<$rhs> for $lhs {
                #[inline]
                fn eq(&self, other: &$rhs) -> bool {
                    self[..] == other[..]
                }
            }
        )*
    };
}

eq! {
    [A: Allocator, B: Allocator] Vec<T, A>, Vec<U, B>;
    [A: Allocator] Vec<T, A>, [U];
    [A: Allocator] Vec<T, A>, &[U];
    [A: Allocator] Vec<T, A>, &mut [U];
    [A: Allocator] [T], Vec<U, A>;
    [A: Allocator] &[T], Vec<U, A>;
    [A: Allocator] &mut [T], Vec<U, A>;
    [A: Allocator, const N: usize] Vec<T, A>, [U; N];
    [A: Allocator, const N: usize] Vec<T, A>, &[U; N];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alloc::{flags::GFP_KERNEL, KVec, VVec},
        kvec,
    };

    #[test]
    fn is_a_slice() {
        let mut values = kvec![3, 1, 2].unwrap();
        values.sort_unstable();
        values[2] += 1;
        assert_eq!(values[1..], [2, 4]);
        for value in &mut values {
            *value *= 2;
        }
        assert_eq!((&values).into_iter().sum::<i32>(), 14);
        assert_eq!(Borrow::<[i32]>::borrow(&values), [2, 4, 8]);
        BorrowMut::<[i32]>::borrow_mut(&mut values)[0] = 0;
        assert_eq!(format!("{values:?}"), "[0, 4, 8]");
        assert!(KVec::<u8>::default().is_empty());
    }

    #[test]
    fn compares_with_what_is_a_slice() {
        let mut array = [1, 2];
        let values = kvec![1, 2].unwrap();
        let mut others = VVec::new();
        others.extend_from_slice(&array, GFP_KERNEL).unwrap();

        assert_eq!(values, others);
        assert_eq!(values, array);
        assert_eq!(values, &array);
        assert_eq!(values, array[..]);
        assert_eq!(values, &array[..]);
        assert_eq!(values, &mut array[..]);
        assert_eq!(array[..], values);
        assert_eq!(&array[..], values);
        assert_eq!(&mut array[..], values);
        assert_ne!(values, [1, 3]);
    }
}
