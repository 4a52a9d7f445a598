// SPDX-License-Identifier: Apache-2.0 OR MIT

//! From a pointer to a pointer to a part of what it points to. Stands for
//! `rust/kernel/ptr/projection.rs`.

use crate::error::{code::ERANGE, Error};
use core::{
    mem::MaybeUninit,
    ops::{Deref, Range, RangeFrom, RangeFull, RangeTo},
    ptr,
};

/// An index is out of bounds: `ERANGE`.
#[derive(Debug)]
pub struct OutOfBound;

impl From<OutOfBound> for Error {
    #[inline]
    fn from(_: OutOfBound) -> Self {
        ERANGE
    }
}

/// An index into a pointer to a slice.
///
/// # Safety
///
/// [`get()`](Self::get) returns a pointer to a part of the slice, or [`None`].
#[diagnostic::on_unimplemented(message = "`{Self}` cannot be used to index `{T}`")]
#[doc(hidden)]
pub unsafe trait ProjectIndex<T: ?Sized>: Sized {
    /// The type that the result points to.
    type Output: ?Sized;

    /// Returns a pointer to the part, or [`None`] if the index is out of bounds.
    fn get(self, slice: *mut T) -> Option<*mut Self::Output>;

    /// As [`get()`](Self::get), and panics if the index is out of bounds.
    #[track_caller]
    fn index(self, slice: *mut T) -> *mut Self::Output {
        match self.get(slice) {
            Some(part) => part,
            None => panic!("an index of a projection is out of bounds"),
        }
    }

    /// As [`index()`](Self::index). The kernel does not build if the index is out of bounds.
    #[track_caller]
    fn build_index(self, slice: *mut T) -> *mut Self::Output {
        match self.get(slice) {
            Some(part) => part,
            None => panic!(
                "an index of a projection is out of bounds, and the kernel would not build this"
            ),
        }
    }
}

// SAFETY: An array is a slice of its length.
unsafe impl<T, I: ProjectIndex<[T]>, const N: usize> ProjectIndex<[T; N]> for I {
    type Output = I::Output;

    #[inline]
    fn get(self, array: *mut [T; N]) -> Option<*mut Self::Output> {
        self.get(ptr::slice_from_raw_parts_mut(array.cast(), N))
    }
}

// SAFETY: The element is part of the slice, as the index is less than the length.
unsafe impl<T> ProjectIndex<[T]> for usize {
    type Output = T;

    #[inline]
    fn get(self, slice: *mut [T]) -> Option<*mut T> {
        (self < slice.len()).then(|| slice.cast::<T>().wrapping_add(self))
    }
}

// SAFETY: The elements are part of the slice, as the end is not behind it.
unsafe impl<T> ProjectIndex<[T]> for Range<usize> {
    type Output = [T];

    #[inline]
    fn get(self, slice: *mut [T]) -> Option<*mut [T]> {
        let len = self.end.checked_sub(self.start)?;
        let first = slice.cast::<T>().wrapping_add(self.start);

        (self.end <= slice.len()).then(|| ptr::slice_from_raw_parts_mut(first, len))
    }
}

// SAFETY: It is a range from zero.
unsafe impl<T> ProjectIndex<[T]> for RangeTo<usize> {
    type Output = [T];

    #[inline]
    fn get(self, slice: *mut [T]) -> Option<*mut [T]> {
        (0..self.end).get(slice)
    }
}

// SAFETY: It is a range to the end.
unsafe impl<T> ProjectIndex<[T]> for RangeFrom<usize> {
    type Output = [T];

    #[inline]
    fn get(self, slice: *mut [T]) -> Option<*mut [T]> {
        (self.start..slice.len()).get(slice)
    }
}

// SAFETY: It is the whole slice.
unsafe impl<T> ProjectIndex<[T]> for RangeFull {
    type Output = [T];

    #[inline]
    fn get(self, slice: *mut [T]) -> Option<*mut [T]> {
        Some(slice)
    }
}

/// Types that fields can be named of without following a `Deref`. A type with `Deref` has both
/// implementations, and so the macro does not compile for it.
///
/// # Safety
///
/// To be implemented in this module only.
#[doc(hidden)]
pub unsafe trait ProjectField<const DEREF: bool> {
    /// Returns a pointer to the field that `f` returns for any value of the type. `base` need not
    /// be valid.
    ///
    /// # Safety
    ///
    /// `f` returns a pointer to a field of what it gets, and follows no reference.
    unsafe fn proj<F>(base: *mut Self, f: impl FnOnce(*mut Self) -> *mut F) -> *mut F;
}

// SAFETY: This is that module.
unsafe impl<T> ProjectField<false> for T {
    #[inline]
    unsafe fn proj<F>(base: *mut Self, f: impl FnOnce(*mut Self) -> *mut F) -> *mut F {
        let mut room = MaybeUninit::<T>::uninit();
        let start = room.as_mut_ptr();
        let offset = f(start).addr() - start.addr();

        base.wrapping_byte_add(offset).cast()
    }
}

// SAFETY: This is that module.
unsafe impl<T: Deref> ProjectField<true> for T {
    unsafe fn proj<F>(_: *mut Self, _: impl FnOnce(*mut Self) -> *mut F) -> *mut F {
        unreachable!("a type with `Deref` has two implementations, and no call names one")
    }
}

/// Makes a pointer to a part of what a pointer points to: `ptr::project!`.
///
/// The part is named as in `.field`, `[try: index]`, `[panic: index]` or `[build: index]`. If the
/// index is out of bounds, `try` returns `ERANGE` from the function, and `panic` panics. With
/// `build`, the kernel does not build then, and the host panics. The pointer need not be valid.
///
/// # Examples
///
/// ```
/// use kernel::{prelude::*, ptr::project};
///
/// struct Ring {
///     head: u32,
///     slots: [u64; 4],
/// }
///
/// fn slot(ring: *mut Ring, i: usize) -> Result<*mut u64> {
///     Ok(project!(mut ring, .slots[try: i]))
/// }
///
/// let mut ring = Ring { head: 0, slots: [1, 2, 3, 4] };
/// assert_eq!(slot(&mut ring, 2)?, &raw mut ring.slots[2]);
/// assert_eq!(slot(&mut ring, 4), Err(ERANGE));
/// # assert_eq!(ring.head, 0);
/// # Ok::<(), Error>(())
/// ```
///
/// A field that is only reached through a `Deref` does not compile:
///
/// ```compile_fail,E0283
/// use kernel::{prelude::*, ptr::project};
///
/// struct Inner(u32);
///
/// let inner: *mut KBox<Inner> = core::ptr::null_mut();
/// let field = project!(mut inner, .0);
/// ```
#[macro_export]
macro_rules! project_pointer {
    (@part $ptr:ident,) => {};
    (@part $ptr:ident, .$field:tt $( $rest:tt )*) => {
        // SAFETY: The function names a field.
        let $ptr = unsafe {
            $crate::ptr::projection::ProjectField::proj($ptr, |ptr| &raw mut (*ptr).$field)
        };
        $crate::project_pointer!(@part $ptr, $( $rest )*)
    };
    (@part $ptr:ident, [try: $index:expr] $( $rest:tt )*) => {
        let $ptr = $crate::ptr::projection::ProjectIndex::get($index, $ptr)
            .ok_or($crate::ptr::projection::OutOfBound)?;
        $crate::project_pointer!(@part $ptr, $( $rest )*)
    };
    (@part $ptr:ident, [panic: $index:expr] $( $rest:tt )*) => {
        let $ptr = $crate::ptr::projection::ProjectIndex::index($index, $ptr);
        $crate::project_pointer!(@part $ptr, $( $rest )*)
    };
    (@part $ptr:ident, [build: $index:expr] $( $rest:tt )*) => {
        let $ptr = $crate::ptr::projection::ProjectIndex::build_index($index, $ptr);
        $crate::project_pointer!(@part $ptr, $( $rest )*)
    };
    (mut $ptr:expr, $( $part:tt )*) => {{
        let ptr: *mut _ = $ptr;
        $crate::project_pointer!(@part ptr, $( $part )*);
        ptr
    }};
    ($ptr:expr, $( $part:tt )*) => {{
        let ptr = <*const _>::cast_mut($ptr);
        $crate::project_pointer!(@part ptr, $( $part )*);
        ptr.cast_const()
    }};
}
