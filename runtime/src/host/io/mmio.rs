// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Registers of a device: a part of `rust/kernel/io.rs`.

use super::{IoBackend, IoBase, IoCapable, IoCopyable, Region};
use crate::{bindings, prelude::*, ptr::KnownSize};
use core::{marker::PhantomData, ptr};

/// Where I/O memory is mapped: `T __iomem *`. It says nothing about whether it is.
pub struct MmioRaw<T: ?Sized> {
    ptr: *mut T,
}

impl<T: ?Sized> Copy for MmioRaw<T> {}

impl<T: ?Sized> Clone for MmioRaw<T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

// SAFETY: It is an address.
unsafe impl<T: ?Sized> Send for MmioRaw<T> {}
// SAFETY: It is an address.
unsafe impl<T: ?Sized> Sync for MmioRaw<T> {}

impl<T> MmioRaw<T> {
    /// The address of a `T`.
    #[inline]
    pub fn new(addr: usize) -> Self {
        Self {
            ptr: ptr::with_exposed_provenance_mut(addr),
        }
    }
}

impl<const SIZE: usize> MmioRaw<Region<SIZE>> {
    /// The address of a region of `size` bytes.
    ///
    /// # Errors
    ///
    /// `EINVAL` unless `addr` and `size` are multiples of 4, and `size` is at least `SIZE`.
    #[inline]
    pub fn new_region(addr: usize, size: usize) -> Result<Self> {
        let base = ptr::with_exposed_provenance_mut(addr);

        Ok(Self {
            ptr: Region::ptr_try_from_raw_parts_mut(base, size)?,
        })
    }
}

impl<T: ?Sized + KnownSize> MmioRaw<T> {
    /// Returns the address.
    #[inline]
    pub fn addr(&self) -> usize {
        self.ptr.cast::<u8>().addr()
    }

    /// Returns the size in bytes.
    #[inline]
    pub fn size(&self) -> usize {
        KnownSize::size(self.ptr)
    }
}

/// A view of I/O memory that is mapped.
///
/// # Invariants
///
/// `ptr` points to I/O memory that is mapped, and stays so during `'a`.
pub struct Mmio<'a, T: ?Sized> {
    ptr: *mut T,
    _lives: PhantomData<&'a ()>,
}

impl<T: ?Sized> Copy for Mmio<'_, T> {}

impl<T: ?Sized> Clone for Mmio<'_, T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<'a, T: ?Sized> Mmio<'a, T> {
    /// A view of what is mapped at an address.
    ///
    /// # Safety
    ///
    /// It is mapped, and stays so during `'a`.
    #[inline]
    pub unsafe fn from_raw(raw: MmioRaw<T>) -> Self {
        // INVARIANT: The caller promises it.
        Self {
            ptr: raw.ptr,
            _lives: PhantomData,
        }
    }

    /// The same memory, with accesses that the CPU need not order: `readl_relaxed()` and so on.
    #[inline]
    pub fn relaxed(self) -> RelaxedMmio<'a, T> {
        RelaxedMmio(self)
    }
}

// SAFETY: It is as good as a `&T`.
unsafe impl<T: ?Sized + Sync> Send for Mmio<'_, T> {}
// SAFETY: It is as good as a `&T`.
unsafe impl<T: ?Sized + Sync> Sync for Mmio<'_, T> {}

impl<'a, T: ?Sized + KnownSize> IoBase<'a> for Mmio<'a, T> {
    type Backend = MmioBackend;
    type Target = T;

    #[inline]
    fn as_view(self) -> Mmio<'a, T> {
        self
    }
}

/// I/O memory with ordered accesses.
pub struct MmioBackend;

impl IoBackend for MmioBackend {
    type View<'a, T: ?Sized + KnownSize> = Mmio<'a, T>;

    #[inline]
    fn as_ptr<'a, T: ?Sized + KnownSize>(view: Self::View<'a, T>) -> *mut T {
        view.ptr
    }

    #[inline]
    unsafe fn project_view<'a, T: ?Sized + KnownSize, U: ?Sized + KnownSize>(
        _view: Self::View<'a, T>,
        ptr: *mut U,
    ) -> Self::View<'a, U> {
        // INVARIANT: It is a part of what is mapped.
        Mmio {
            ptr,
            _lives: PhantomData,
        }
    }
}

/// As [`Mmio`], with relaxed accesses. See [`Mmio::relaxed()`].
pub struct RelaxedMmio<'a, T: ?Sized>(Mmio<'a, T>);

impl<T: ?Sized> Copy for RelaxedMmio<'_, T> {}

impl<T: ?Sized> Clone for RelaxedMmio<'_, T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<'a, T: ?Sized + KnownSize> IoBase<'a> for RelaxedMmio<'a, T> {
    type Backend = RelaxedMmioBackend;
    type Target = T;

    #[inline]
    fn as_view(self) -> RelaxedMmio<'a, T> {
        self
    }
}

/// I/O memory with relaxed accesses.
pub struct RelaxedMmioBackend;

impl IoBackend for RelaxedMmioBackend {
    type View<'a, T: ?Sized + KnownSize> = RelaxedMmio<'a, T>;

    #[inline]
    fn as_ptr<'a, T: ?Sized + KnownSize>(view: Self::View<'a, T>) -> *mut T {
        MmioBackend::as_ptr(view.0)
    }

    #[inline]
    unsafe fn project_view<'a, T: ?Sized + KnownSize, U: ?Sized + KnownSize>(
        view: Self::View<'a, T>,
        ptr: *mut U,
    ) -> Self::View<'a, U> {
        // SAFETY: The caller promises the same.
        RelaxedMmio(unsafe { MmioBackend::project_view(view.0, ptr) })
    }
}

macro_rules! impl_mmio_io_capable {
    ($backend:ident, $ty:ty, $read:ident, $write:ident) => {
        impl IoCapable<$ty> for $backend {
            #[inline]
            fn io_read(view: <$backend as IoBackend>::View<'_, $ty>) -> $ty {
                // SAFETY: A view is mapped, and aligned.
                unsafe { bindings::$read($backend::as_ptr(view).cast_const().cast()) }
            }

            #[inline]
            fn io_write(view: <$backend as IoBackend>::View<'_, $ty>, value: $ty) {
                // SAFETY: A view is mapped, and aligned.
                unsafe { bindings::$write(value, $backend::as_ptr(view).cast()) }
            }
        }
    };
}

impl_mmio_io_capable!(MmioBackend, u8, readb, writeb);
impl_mmio_io_capable!(MmioBackend, u16, readw, writew);
impl_mmio_io_capable!(MmioBackend, u32, readl, writel);
#[cfg(target_pointer_width = "64")]
impl_mmio_io_capable!(MmioBackend, u64, readq, writeq);

impl_mmio_io_capable!(RelaxedMmioBackend, u8, readb_relaxed, writeb_relaxed);
impl_mmio_io_capable!(RelaxedMmioBackend, u16, readw_relaxed, writew_relaxed);
impl_mmio_io_capable!(RelaxedMmioBackend, u32, readl_relaxed, writel_relaxed);
#[cfg(target_pointer_width = "64")]
impl_mmio_io_capable!(RelaxedMmioBackend, u64, readq_relaxed, writeq_relaxed);

impl IoCopyable for MmioBackend {
    #[inline]
    unsafe fn copy_from_io(view: Mmio<'_, [u8]>, buffer: *mut u8) {
        // SAFETY: The view is mapped, and the caller promises the rest.
        unsafe { bindings::memcpy_fromio(buffer.cast(), view.ptr.cast(), view.ptr.len()) };
    }

    #[inline]
    unsafe fn copy_to_io(view: Mmio<'_, [u8]>, buffer: *const u8) {
        // SAFETY: The view is mapped, and the caller promises the rest.
        unsafe { bindings::memcpy_toio(view.ptr.cast(), buffer.cast(), view.ptr.len()) };
    }
}
