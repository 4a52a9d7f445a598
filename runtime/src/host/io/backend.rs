// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Kinds of I/O memory, and how they are read and written: a part of `rust/kernel/io.rs`.

use super::Region;
use crate::{prelude::*, ptr::KnownSize};
use core::fmt::Display;

/// A kind of I/O memory, with views of parts of it.
pub trait IoBackend {
    /// A view of a `T`.
    type View<'a, T: ?Sized + KnownSize>: IoBase<'a, Backend = Self, Target = T>;

    /// Returns a pointer for projections. It need not be valid.
    fn as_ptr<'a, T: ?Sized + KnownSize>(view: Self::View<'a, T>) -> *mut T;

    /// Returns the view of a part of a view.
    ///
    /// # Safety
    ///
    /// `ptr` is a projection of [`as_ptr(view)`](Self::as_ptr).
    unsafe fn project_view<'a, T: ?Sized + KnownSize, U: ?Sized + KnownSize>(
        view: Self::View<'a, T>,
        ptr: *mut U,
    ) -> Self::View<'a, U>;
}

/// A kind of I/O memory that a `T` can be read from and written to in one access.
pub trait IoCapable<T>: IoBackend {
    /// Reads.
    fn io_read<'a>(view: Self::View<'a, T>) -> T;

    /// Writes.
    fn io_write<'a>(view: Self::View<'a, T>, value: T);
}

/// A kind of I/O memory that bytes can be copied from and to.
pub trait IoCopyable: IoBackend {
    /// Copies all of a view to `buffer`.
    ///
    /// # Safety
    ///
    /// `buffer` is valid for writing as many bytes, and is not part of the view.
    unsafe fn copy_from_io(view: Self::View<'_, [u8]>, buffer: *mut u8);

    /// Copies `buffer` to all of a view.
    ///
    /// # Safety
    ///
    /// `buffer` is valid for reading as many bytes, and is not part of the view.
    unsafe fn copy_to_io(view: Self::View<'_, [u8]>, buffer: *const u8);
}

/// A place in a region: its offset, the type of the access, and the type that it stands for.
pub trait IoLoc<Base: ?Sized, T> {
    /// The type of the access.
    type IoType: Into<T> + From<T>;

    /// Returns the offset in bytes.
    fn offset(self) -> usize;
}

macro_rules! impl_usize_ioloc {
    ($( $ty:ty ),*) => {
        $(
            impl<const SIZE: usize> IoLoc<Region<SIZE>, $ty> for usize {
                type IoType = $ty;

                #[inline]
                fn offset(self) -> usize {
                    self
                }
            }
        )*
    };
}

impl_usize_ioloc!(u8, u16, u32, u64);

/// A handle of I/O memory, which I/O is done on, such as `&pci::Bar`.
pub trait IoBase<'a>: Copy {
    /// Its kind.
    type Backend: IoBackend;

    /// The type of the memory, or a [`Region`].
    type Target: ?Sized + KnownSize;

    /// Returns a view of all of it.
    fn as_view(self) -> <Self::Backend as IoBackend>::View<'a, Self::Target>;
}

/// Whether a `U` at `offset` is inside of `size` bytes, and aligned if they start at `base`.
#[inline]
const fn offset_valid<U>(base: usize, offset: usize, size: usize) -> bool {
    match offset.checked_add(size_of::<U>()) {
        Some(end) => end <= size && base.wrapping_add(offset) % align_of::<U>() == 0,
        None => false,
    }
}

/// The view of a `U` that is there in any region of this type.
#[inline]
#[track_caller]
fn view_of_known<'a, IO: IoBase<'a>, U>(
    io: IO,
    offset: usize,
) -> <IO::Backend as IoBackend>::View<'a, U> {
    const {
        assert!(
            align_of::<U>() <= IO::Target::MIN_ALIGN.as_usize(),
            "the region is not known to be aligned for this access"
        )
    };
    if !offset_valid::<U>(0, offset, IO::Target::MIN_SIZE) {
        refused(offset, size_of::<U>(), IO::Target::MIN_SIZE);
    }

    let view = io.as_view();
    let ptr = IO::Backend::as_ptr(view)
        .cast::<U>()
        .wrapping_byte_add(offset);
    // SAFETY: It is inside of the smallest region of this type, and aligned.
    unsafe { IO::Backend::project_view(view, ptr) }
}

/// The report of [`view_of_known()`].
#[cold]
#[track_caller]
fn refused(offset: impl Display, len: usize, size: usize) -> ! {
    panic!(
        "the kernel would not build this: an access of {len} bytes at offset {offset} is not \
         aligned, or not in the {size} bytes that the region is known to have; use `try_read()` \
         and `try_write()`, or a larger `SIZE`"
    );
}

/// The view of a `U`, if it is there.
#[inline]
fn view_if_valid<'a, IO: IoBase<'a>, U>(
    io: IO,
    offset: usize,
) -> Result<<IO::Backend as IoBackend>::View<'a, U>> {
    let view = io.as_view();
    let ptr = IO::Backend::as_ptr(view);

    if !offset_valid::<U>(ptr.cast::<u8>().addr(), offset, KnownSize::size(ptr)) {
        return Err(EINVAL);
    }
    // SAFETY: It is inside of the region, and aligned.
    Ok(unsafe { IO::Backend::project_view(view, ptr.cast::<U>().wrapping_byte_add(offset)) })
}

macro_rules! known_width {
    ($ty:ty, $bits:literal, $read:ident, $write:ident, $try_read:ident, $try_write:ident) => {
        #[doc = concat!("[`try_read()`](Self::try_read) of ", $bits, " bits.")]
        #[inline]
        fn $try_read(self, offset: usize) -> Result<$ty>
        where
            usize: IoLoc<Self::Target, $ty, IoType = $ty>,
            Self::Backend: IoCapable<$ty>,
        {
            self.try_read(offset)
        }

        #[doc = concat!("[`try_write()`](Self::try_write) of ", $bits, " bits.")]
        #[inline]
        fn $try_write(self, value: $ty, offset: usize) -> Result
        where
            usize: IoLoc<Self::Target, $ty, IoType = $ty>,
            Self::Backend: IoCapable<$ty>,
        {
            self.try_write(offset, value)
        }

        #[doc = concat!("[`read()`](Self::read) of ", $bits, " bits.")]
        #[inline]
        #[track_caller]
        fn $read(self, offset: usize) -> $ty
        where
            usize: IoLoc<Self::Target, $ty, IoType = $ty>,
            Self::Backend: IoCapable<$ty>,
        {
            self.read(offset)
        }

        #[doc = concat!("[`write()`](Self::write) of ", $bits, " bits.")]
        #[inline]
        #[track_caller]
        fn $write(self, value: $ty, offset: usize)
        where
            usize: IoLoc<Self::Target, $ty, IoType = $ty>,
            Self::Backend: IoCapable<$ty>,
        {
            self.write(offset, value)
        }
    };
}

/// Reading and writing.
///
/// An offset that is a constant, inside of what the type says of the region, is for
/// [`read()`](Self::read) and [`write()`](Self::write). All others are for
/// [`try_read()`](Self::try_read) and [`try_write()`](Self::try_write).
///
/// # Context
///
/// Nothing here sleeps.
pub trait Io<'a>: IoBase<'a> {
    /// Returns the size in bytes.
    #[inline]
    fn size(self) -> usize {
        KnownSize::size(Self::Backend::as_ptr(self.as_view()))
    }

    /// Returns how many elements there are.
    #[inline]
    fn len<T>(self) -> usize
    where
        Self: Io<'a, Target = [T]>,
    {
        Self::Backend::as_ptr(self.as_view()).len()
    }

    /// Returns whether there are no elements.
    #[inline]
    fn is_empty<T>(self) -> bool
    where
        Self: Io<'a, Target = [T]>,
    {
        self.len() == 0
    }

    /// Reads all of it, in one access.
    #[inline]
    fn read_val(self) -> Self::Target
    where
        Self::Backend: IoCapable<Self::Target>,
        Self::Target: Sized,
    {
        Self::Backend::io_read(self.as_view())
    }

    /// Writes all of it, in one access.
    #[inline]
    fn write_val(self, value: Self::Target)
    where
        Self::Backend: IoCapable<Self::Target>,
        Self::Target: Sized,
    {
        Self::Backend::io_write(self.as_view(), value)
    }

    /// Copies `data` to it.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    #[inline]
    #[track_caller]
    fn copy_from_slice(self, data: &[u8])
    where
        Self::Backend: IoCopyable,
        Self: Io<'a, Target = [u8]>,
    {
        assert_eq!(self.len(), data.len());

        // SAFETY: The slice is as long, and is no I/O memory.
        unsafe { Self::Backend::copy_to_io(self.as_view(), data.as_ptr()) };
    }

    /// Copies it to `data`.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    #[inline]
    #[track_caller]
    fn copy_to_slice(self, data: &mut [u8])
    where
        Self::Backend: IoCopyable,
        Self: Io<'a, Target = [u8]>,
    {
        assert_eq!(self.len(), data.len());

        // SAFETY: The slice is as long, and is no I/O memory.
        unsafe { Self::Backend::copy_from_io(self.as_view(), data.as_mut_ptr()) };
    }

    known_width!(u8, 8, read8, write8, try_read8, try_write8);
    known_width!(u16, 16, read16, write16, try_read16, try_write16);
    known_width!(u32, 32, read32, write32, try_read32, try_write32);
    known_width!(u64, 64, read64, write64, try_read64, try_write64);

    /// Reads at an offset.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the offset is not in the region, or not aligned.
    #[inline]
    fn try_read<T, L>(self, location: L) -> Result<T>
    where
        L: IoLoc<Self::Target, T>,
        Self::Backend: IoCapable<L::IoType>,
    {
        let view = view_if_valid::<Self, L::IoType>(self, location.offset())?;

        Ok(Self::Backend::io_read(view).into())
    }

    /// Writes at an offset.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the offset is not in the region, or not aligned. Nothing is written then.
    #[inline]
    fn try_write<T, L>(self, location: L, value: T) -> Result
    where
        L: IoLoc<Self::Target, T>,
        Self::Backend: IoCapable<L::IoType>,
    {
        let view = view_if_valid::<Self, L::IoType>(self, location.offset())?;

        Self::Backend::io_write(view, value.into());
        Ok(())
    }

    /// Reads at an offset, and writes there what `f` makes of it. Not atomic.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the offset is not in the region, or not aligned. `f` is not called then.
    #[inline]
    fn try_update<T, L, F>(self, location: L, f: F) -> Result
    where
        L: IoLoc<Self::Target, T>,
        Self::Backend: IoCapable<L::IoType>,
        F: FnOnce(T) -> T,
    {
        let view = view_if_valid::<Self, L::IoType>(self, location.offset())?;

        let value = f(Self::Backend::io_read(view).into());
        Self::Backend::io_write(view, value.into());
        Ok(())
    }

    /// Reads at an offset that is in any region of this type.
    ///
    /// # Panics
    ///
    /// If it is not, or not aligned. The kernel does not build then.
    #[inline]
    #[track_caller]
    fn read<T, L>(self, location: L) -> T
    where
        L: IoLoc<Self::Target, T>,
        Self::Backend: IoCapable<L::IoType>,
    {
        let view = view_of_known::<Self, L::IoType>(self, location.offset());

        Self::Backend::io_read(view).into()
    }

    /// Writes at an offset that is in any region of this type.
    ///
    /// # Panics
    ///
    /// If it is not, or not aligned. The kernel does not build then.
    #[inline]
    #[track_caller]
    fn write<T, L>(self, location: L, value: T)
    where
        L: IoLoc<Self::Target, T>,
        Self::Backend: IoCapable<L::IoType>,
    {
        let view = view_of_known::<Self, L::IoType>(self, location.offset());

        Self::Backend::io_write(view, value.into());
    }

    /// Reads at an offset that is in any region of this type, and writes there what `f` makes of
    /// it. Not atomic.
    ///
    /// # Panics
    ///
    /// If it is not, or not aligned. The kernel does not build then.
    #[inline]
    #[track_caller]
    fn update<T, L, F>(self, location: L, f: F)
    where
        L: IoLoc<Self::Target, T>,
        Self::Backend: IoCapable<L::IoType>,
        F: FnOnce(T) -> T,
    {
        let view = view_of_known::<Self, L::IoType>(self, location.offset());

        let value = f(Self::Backend::io_read(view).into());
        Self::Backend::io_write(view, value.into());
    }
}

impl<'a, T: IoBase<'a>> Io<'a> for T {}
