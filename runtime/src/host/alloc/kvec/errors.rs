// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The errors of the methods of [`Vec`](super::Vec) that do not allocate.
//!
//! Stands for `rust/kernel/alloc/kvec/errors.rs`.

use crate::error::{code::EINVAL, Error};
use core::fmt;

/// There is no room for the value, which is given back:
/// [`push_within_capacity()`](super::Vec::push_within_capacity).
///
/// As an [`Error`] it is `EINVAL`.
pub struct PushError<T>(pub T);

impl<T> fmt::Debug for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no room in the vector")
    }
}

impl<T> From<PushError<T>> for Error {
    #[inline]
    fn from(_: PushError<T>) -> Error {
        EINVAL
    }
}

/// There is no value with this index: [`remove()`](super::Vec::remove).
///
/// As an [`Error`] it is `EINVAL`.
pub struct RemoveError;

impl fmt::Debug for RemoveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the index is out of bounds")
    }
}

impl From<RemoveError> for Error {
    #[inline]
    fn from(_: RemoveError) -> Error {
        EINVAL
    }
}

/// The value was not inserted, and is given back:
/// [`insert_within_capacity()`](super::Vec::insert_within_capacity).
///
/// As an [`Error`] it is `EINVAL`.
pub enum InsertError<T> {
    /// The index is larger than the length.
    IndexOutOfBounds(T),
    /// There is no room for the value.
    OutOfCapacity(T),
}

impl<T> fmt::Debug for InsertError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IndexOutOfBounds(_) => "the index is out of bounds",
            Self::OutOfCapacity(_) => "no room in the vector",
        })
    }
}

impl<T> From<InsertError<T>> for Error {
    #[inline]
    fn from(_: InsertError<T>) -> Error {
        EINVAL
    }
}
