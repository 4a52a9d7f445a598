// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Accesses to I/O memory: `include/asm-generic/io.h`.
//!
//! I/O memory is a test's own memory, which the test may access at the same time, by atomics or by
//! these functions. Devices are little-endian.

use super::phys_addr_t;
use core::{
    ffi::c_void,
    sync::atomic::{AtomicU16, AtomicU32, AtomicU64, AtomicU8, Ordering},
};

/// The size of a resource: `resource_size_t`.
pub type resource_size_t = phys_addr_t;

macro_rules! accessors {
    ($ty:ty, $atomic:ty, $read:ident, $write:ident, $read_order:ident, $write_order:ident) => {
        #[doc = concat!("`", stringify!($read), "()`.")]
        ///
        /// # Safety
        ///
        /// `addr` is valid and aligned.
        #[inline]
        pub unsafe fn $read(addr: *const c_void) -> $ty {
            // SAFETY: The caller promises it, and all accesses are atomic.
            let place = unsafe { <$atomic>::from_ptr(addr.cast_mut().cast()) };
            <$ty>::from_le(place.load(Ordering::$read_order))
        }

        #[doc = concat!("`", stringify!($write), "()`.")]
        ///
        /// # Safety
        ///
        /// `addr` is valid and aligned.
        #[inline]
        pub unsafe fn $write(value: $ty, addr: *mut c_void) {
            // SAFETY: The caller promises it, and all accesses are atomic.
            let place = unsafe { <$atomic>::from_ptr(addr.cast()) };
            place.store(value.to_le(), Ordering::$write_order);
        }
    };
}

accessors!(u8, AtomicU8, readb, writeb, Acquire, Release);
accessors!(u16, AtomicU16, readw, writew, Acquire, Release);
accessors!(u32, AtomicU32, readl, writel, Acquire, Release);
accessors!(u64, AtomicU64, readq, writeq, Acquire, Release);
accessors!(
    u8,
    AtomicU8,
    readb_relaxed,
    writeb_relaxed,
    Relaxed,
    Relaxed
);
accessors!(
    u16,
    AtomicU16,
    readw_relaxed,
    writew_relaxed,
    Relaxed,
    Relaxed
);
accessors!(
    u32,
    AtomicU32,
    readl_relaxed,
    writel_relaxed,
    Relaxed,
    Relaxed
);
accessors!(
    u64,
    AtomicU64,
    readq_relaxed,
    writeq_relaxed,
    Relaxed,
    Relaxed
);

/// Copies from I/O memory: `memcpy_fromio()`.
///
/// # Safety
///
/// Both are valid for `count` bytes, and do not overlap.
pub unsafe fn memcpy_fromio(buffer: *mut c_void, addr: *const c_void, count: usize) {
    for i in 0..count {
        // SAFETY: `i` is below `count`, and the caller promises that `addr` is valid for `count`
        // bytes.
        let byte = unsafe { readb_relaxed(addr.wrapping_byte_add(i)) };
        // SAFETY: `i` is below `count`, and the caller promises that `buffer` is valid for `count`
        // bytes.
        unsafe { buffer.cast::<u8>().wrapping_add(i).write(byte) };
    }
}

/// Copies to I/O memory: `memcpy_toio()`.
///
/// # Safety
///
/// Both are valid for `count` bytes, and do not overlap.
pub unsafe fn memcpy_toio(addr: *mut c_void, buffer: *const c_void, count: usize) {
    for i in 0..count {
        // SAFETY: `i` is below `count`, and the caller promises that `buffer` is valid for `count`
        // bytes.
        let byte = unsafe { buffer.cast::<u8>().wrapping_add(i).read() };
        // SAFETY: `i` is below `count`, and the caller promises that `addr` is valid for `count`
        // bytes.
        unsafe { writeb_relaxed(byte, addr.wrapping_byte_add(i)) };
    }
}
