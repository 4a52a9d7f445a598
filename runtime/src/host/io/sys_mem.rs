// SPDX-License-Identifier: Apache-2.0 OR MIT

//! System memory that a device or user space may write to: a part of `rust/kernel/io.rs`.

use super::{IoBackend, IoBase, IoCapable, IoCopyable};
use crate::{bindings, ptr::KnownSize};
use core::{
    marker::PhantomData,
    sync::atomic::{AtomicU16, AtomicU32, AtomicU8, Ordering::Relaxed},
};

#[cfg(target_pointer_width = "64")]
use core::sync::atomic::AtomicU64;

/// A view of system memory.
///
/// # Invariants
///
/// `ptr` is valid and aligned, and stays so during `'a`.
pub struct SysMem<'a, T: ?Sized> {
    ptr: *mut T,
    _lives: PhantomData<&'a ()>,
}

impl<T: ?Sized> Copy for SysMem<'_, T> {}

impl<T: ?Sized> Clone for SysMem<'_, T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

// SAFETY: It is as good as a `&T`.
unsafe impl<T: ?Sized + Sync> Send for SysMem<'_, T> {}
// SAFETY: It is as good as a `&T`.
unsafe impl<T: ?Sized + Sync> Sync for SysMem<'_, T> {}

impl<'a, T: ?Sized> SysMem<'a, T> {
    /// A view of what `ptr` points to.
    ///
    /// # Safety
    ///
    /// `ptr` is valid and aligned, and stays so during `'a`. There are no references to the value.
    #[inline]
    pub unsafe fn new(ptr: *mut T) -> Self {
        // INVARIANT: The caller promises it.
        Self {
            ptr,
            _lives: PhantomData,
        }
    }

    /// Returns the pointer.
    #[inline]
    pub fn as_ptr(self) -> *mut T {
        self.ptr
    }
}

impl<'a, T: ?Sized + KnownSize> IoBase<'a> for SysMem<'a, T> {
    type Backend = SysMemBackend;
    type Target = T;

    #[inline]
    fn as_view(self) -> SysMem<'a, T> {
        self
    }
}

/// System memory.
pub struct SysMemBackend;

impl IoBackend for SysMemBackend {
    type View<'a, T: ?Sized + KnownSize> = SysMem<'a, T>;

    #[inline]
    fn as_ptr<'a, T: ?Sized + KnownSize>(view: Self::View<'a, T>) -> *mut T {
        view.ptr
    }

    #[inline]
    unsafe fn project_view<'a, T: ?Sized + KnownSize, U: ?Sized + KnownSize>(
        _view: Self::View<'a, T>,
        ptr: *mut U,
    ) -> Self::View<'a, U> {
        // INVARIANT: It is a part of a valid view.
        SysMem {
            ptr,
            _lives: PhantomData,
        }
    }
}

macro_rules! impl_sysmem_io_capable {
    ($ty:ty, $atomic:ty) => {
        impl IoCapable<$ty> for SysMemBackend {
            #[inline]
            fn io_read(view: SysMem<'_, $ty>) -> $ty {
                // SAFETY: A view is valid and aligned, and all accesses to it are atomic.
                unsafe { <$atomic>::from_ptr(view.ptr) }.load(Relaxed)
            }

            #[inline]
            fn io_write(view: SysMem<'_, $ty>, value: $ty) {
                // SAFETY: A view is valid and aligned, and all accesses to it are atomic.
                unsafe { <$atomic>::from_ptr(view.ptr) }.store(value, Relaxed)
            }
        }
    };
}

impl_sysmem_io_capable!(u8, AtomicU8);
impl_sysmem_io_capable!(u16, AtomicU16);
impl_sysmem_io_capable!(u32, AtomicU32);
#[cfg(target_pointer_width = "64")]
impl_sysmem_io_capable!(u64, AtomicU64);

impl IoCopyable for SysMemBackend {
    #[inline]
    unsafe fn copy_from_io(view: SysMem<'_, [u8]>, buffer: *mut u8) {
        // SAFETY: The view is valid, and the caller promises the rest.
        unsafe { bindings::memcpy_fromio(buffer.cast(), view.ptr.cast(), view.ptr.len()) };
    }

    #[inline]
    unsafe fn copy_to_io(view: SysMem<'_, [u8]>, buffer: *const u8) {
        // SAFETY: The view is valid, and the caller promises the rest.
        unsafe { bindings::memcpy_toio(view.ptr.cast(), buffer.cast(), view.ptr.len()) };
    }
}
