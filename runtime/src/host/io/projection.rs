// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Parts of I/O memory: a part of `rust/kernel/io.rs`.

use super::{Io, IoBackend};
use crate::ptr::KnownSize;

/// The methods that the macros of this file call.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct ProjectHelper<T>(pub T);

impl<'a, T> ProjectHelper<T>
where
    T: Io<'a, Backend: IoBackend<View<'a, T::Target> = T>>,
{
    /// Returns a pointer for projections.
    #[inline]
    pub fn as_ptr(self) -> *mut T::Target {
        T::Backend::as_ptr(self.0)
    }

    /// Returns the view of a part.
    ///
    /// # Safety
    ///
    /// `ptr` is a projection of [`as_ptr()`](Self::as_ptr).
    #[inline]
    pub unsafe fn project_view<U: ?Sized + KnownSize>(
        self,
        ptr: *mut U,
    ) -> <T::Backend as IoBackend>::View<'a, U> {
        // SAFETY: The caller promises the same.
        unsafe { T::Backend::project_view::<T::Target, _>(self.0, ptr) }
    }
}

/// Makes a view of a part of I/O memory: `io::io_project!`. The part is named as in
/// [`ptr::project!`](crate::ptr::project).
///
/// # Examples
///
/// ```
/// use kernel::{
///     io::{io_read, io_write, SysMem},
///     prelude::*,
/// };
///
/// struct Descriptor {
///     addr: u64,
///     flags: u32,
/// }
///
/// fn fill(ring: SysMem<'_, [Descriptor]>, i: usize, addr: u64) -> Result {
///     io_write!(ring, [try: i].addr, addr);
///     io_write!(ring, [try: i].flags, 1);
///     Ok(())
/// }
///
/// let mut ring = [const { Descriptor { addr: 0, flags: 0 } }; 2];
/// // SAFETY: The memory is valid, and nobody else uses it.
/// let ring = unsafe { SysMem::new(&raw mut ring[..]) };
/// fill(ring, 1, 0x1000)?;
/// assert_eq!(io_read!(ring, [panic: 1].addr), 0x1000);
/// assert_eq!(io_read!(ring, [panic: 1].flags), 1);
/// assert_eq!(fill(ring, 2, 0), Err(ERANGE));
/// # Ok::<(), Error>(())
/// ```
#[macro_export]
macro_rules! io_project {
    ($io:expr, $( $part:tt )*) => {{
        #[allow(unused)]
        use $crate::io::IoBase as _;
        let view = $crate::io::ProjectHelper($io.as_view());
        let ptr = $crate::ptr::project!(mut view.as_ptr(), $( $part )*);
        // SAFETY: `ptr` is a projection.
        #[allow(unused_unsafe)]
        let view = unsafe { view.project_view(ptr) };
        view
    }};
}

/// Reads a part of I/O memory: `io::io_read!`. The part is named as in
/// [`ptr::project!`](crate::ptr::project).
#[macro_export]
macro_rules! io_read {
    ($io:expr, $( $part:tt )*) => {
        $crate::io::Io::read_val($crate::io_project!($io, $( $part )*))
    };
}

/// Writes a part of I/O memory: `io::io_write!`. The part is named as in
/// [`ptr::project!`](crate::ptr::project), and the value comes last.
#[macro_export]
macro_rules! io_write {
    (@split [$io:expr] [$( $part:tt )*] [, $value:expr]) => {
        $crate::io::Io::write_val($crate::io_project!($io, $( $part )*), $value)
    };
    (@split [$io:expr] [$( $part:tt )*] [.$field:tt $( $rest:tt )*]) => {
        $crate::io_write!(@split [$io] [$( $part )* .$field] [$( $rest )*])
    };
    (@split [$io:expr] [$( $part:tt )*] [[$how:ident: $index:expr] $( $rest:tt )*]) => {
        $crate::io_write!(@split [$io] [$( $part )* [$how: $index]] [$( $rest )*])
    };
    ($io:expr, $( $rest:tt )*) => {
        $crate::io_write!(@split [$io] [] [$( $rest )*])
    };
}
