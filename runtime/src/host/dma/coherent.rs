// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Memory that the CPU and a device see alike: a part of `rust/kernel/dma.rs`.

use super::DmaAddress;
use crate::{
    alloc::Flags,
    bindings,
    device::{Bound, Device},
    io::{IoBase, SysMem, SysMemBackend},
    prelude::*,
    ptr::KnownSize,
    sync::aref::ARef,
    transmute::{AsBytes, FromBytes},
};
use core::ptr::NonNull;

/// Memory for a `T` that the CPU and a device see alike: `dma_alloc_attrs()`. Dropping it frees the
/// memory.
///
/// It is read and written by [`Io`](crate::io::Io), or part by part by
/// [`io_read!`](crate::io::io_read) and [`io_write!`](crate::io::io_write), as the device may do
/// so at any time.
///
/// It has to be dropped before its device is unbound. Memory that is left then is reported, as by
/// `DMA_API_DEBUG`.
///
/// # Invariants
///
/// `cpu_addr` is valid, and is where the CPU sees what `dev` sees at `dma_addr`.
///
/// # Examples
///
/// ```
/// use kernel::{
///     dma::Coherent,
///     io::{io_read, io_write},
///     prelude::*,
///     testing::TestDevice,
/// };
///
/// let mut gpu = TestDevice::new(c"gpu0")?;
/// let bound = gpu.bind()?;
/// let ring: Coherent<[u64]> = Coherent::zeroed_slice(&bound, 16, GFP_KERNEL)?;
///
/// io_write!(&ring, [try: 3], ring.dma_address());
/// assert_eq!(io_read!(&ring, [panic: 3]), ring.dma_address());
/// assert_eq!(io_read!(&ring, [panic: 4]), 0);
/// # Ok::<(), Error>(())
/// ```
pub struct Coherent<T: KnownSize + ?Sized> {
    dev: ARef<Device>,
    dma_addr: DmaAddress,
    cpu_addr: NonNull<T>,
}

impl<T: KnownSize + ?Sized> Coherent<T> {
    /// Returns the size in bytes.
    #[inline]
    pub fn size(&self) -> usize {
        T::size(self.cpu_addr.as_ptr())
    }

    /// Returns where the CPU sees it.
    #[inline]
    pub fn as_ptr(&self) -> *const T {
        self.cpu_addr.as_ptr()
    }

    /// Returns where the CPU sees it.
    #[inline]
    pub fn as_mut_ptr(&self) -> *mut T {
        self.cpu_addr.as_ptr()
    }

    /// Returns where the device sees it.
    #[inline]
    pub fn dma_address(&self) -> DmaAddress {
        self.dma_addr
    }
}

/// Allocates `size` bytes, zeroed.
fn alloc(dev: &Device<Bound>, size: usize, flags: Flags) -> Result<(NonNull<u8>, DmaAddress)> {
    let gfp = if flags.contains(GFP_KERNEL) {
        bindings::GFP_KERNEL
    } else {
        0
    };

    let mut dma_addr = 0;
    // SAFETY: The device is bound.
    let addr = unsafe { bindings::dma_alloc_attrs(dev.as_raw(), size, &mut dma_addr, gfp, 0) };
    Ok((NonNull::new(addr.cast()).ok_or(ENOMEM)?, dma_addr))
}

impl<T: AsBytes + FromBytes> Coherent<T> {
    /// Allocates memory for one value, zeroed.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, also if the device does not reach the memory. A type without size does not
    /// compile.
    ///
    /// # Context
    ///
    /// May sleep with `GFP_KERNEL`.
    pub fn zeroed(dev: &Device<Bound>, gfp_flags: Flags) -> Result<Self> {
        const { assert!(size_of::<T>() != 0, "there is no memory to allocate") };
        let (cpu_addr, dma_addr) = alloc(dev, size_of::<T>(), gfp_flags)?;

        // INVARIANT: It was allocated.
        Ok(Self {
            dev: dev.into(),
            dma_addr,
            cpu_addr: cpu_addr.cast(),
        })
    }

    /// Allocates memory for `len` values, zeroed.
    ///
    /// # Errors
    ///
    /// `EINVAL` for no values, `ENOMEM` as for [`zeroed()`](Self::zeroed). A type without size does
    /// not compile.
    ///
    /// # Context
    ///
    /// May sleep with `GFP_KERNEL`.
    pub fn zeroed_slice(
        dev: &Device<Bound>,
        len: usize,
        gfp_flags: Flags,
    ) -> Result<Coherent<[T]>> {
        const { assert!(size_of::<T>() != 0, "there is no memory to allocate") };
        if len == 0 {
            return Err(EINVAL);
        }
        let size = len.checked_mul(size_of::<T>()).ok_or(ENOMEM)?;
        let (cpu_addr, dma_addr) = alloc(dev, size, gfp_flags)?;

        // INVARIANT: It was allocated.
        Ok(Coherent {
            dev: dev.into(),
            dma_addr,
            cpu_addr: NonNull::slice_from_raw_parts(cpu_addr.cast(), len),
        })
    }
}

impl<T> Coherent<[T]> {
    /// Returns how many values there are.
    #[inline]
    #[allow(clippy::len_without_is_empty, reason = "there is at least one")]
    pub fn len(&self) -> usize {
        self.cpu_addr.len()
    }
}

/// A view of it is one of system memory. In Linux 7.3.4 a view has a type of its own, which also
/// knows the DMA address of the part.
impl<'a, T: ?Sized + KnownSize> IoBase<'a> for &'a Coherent<T> {
    type Backend = SysMemBackend;
    type Target = T;

    #[inline]
    fn as_view(self) -> SysMem<'a, T> {
        // SAFETY: By the type's invariants it is valid, for as long as it is borrowed.
        unsafe { SysMem::new(self.cpu_addr.as_ptr()) }
    }
}

impl<T: KnownSize + ?Sized> Drop for Coherent<T> {
    fn drop(&mut self) {
        let cpu_addr: *mut c_void = self.cpu_addr.as_ptr().cast();

        // SAFETY: By the type's invariants, and nobody has borrowed it any more.
        unsafe {
            bindings::dma_free_attrs(self.dev.as_raw(), self.size(), cpu_addr, self.dma_addr, 0)
        };
    }
}

// SAFETY: It owns the memory.
unsafe impl<T: KnownSize + Send + ?Sized> Send for Coherent<T> {}
// SAFETY: All accesses to the memory are atomic.
unsafe impl<T: KnownSize + Sync + ?Sized> Sync for Coherent<T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        io::{io_read, io_write},
        testing::{collect_warnings, fail_nth, ledger, TestDevice},
    };

    #[test]
    fn on_the_books() {
        let mut dev = TestDevice::new(c"gpu0").unwrap();
        let bound = dev.bind().unwrap();
        let ring = Coherent::<u32>::zeroed_slice(&bound, 5000, GFP_KERNEL).unwrap();
        let one = Coherent::<u64>::zeroed(&bound, GFP_KERNEL).unwrap();

        assert_eq!((ring.len(), ring.size(), one.size()), (5000, 20000, 8));
        assert_eq!((ledger(&bound).live, ledger(&bound).bytes), (2, 20008));
        // The device sees each at a place of its own.
        assert!(one.dma_address().abs_diff(ring.dma_address()) >= 20000);
        assert!(core::ptr::addr_eq(ring.as_ptr(), ring.as_mut_ptr()));
        io_write!(&ring, [panic: 4999], 7);
        assert_eq!(io_read!(&ring, [panic: 4999]), 7);
        drop((ring, one));
        assert_eq!(ledger(&bound).live, 0);
    }

    #[test]
    fn failures() {
        let mut dev = TestDevice::new(c"gpu0").unwrap();
        let bound = dev.bind().unwrap();
        let alloc = |len| Coherent::<u32>::zeroed_slice(&bound, len, GFP_KERNEL).err();

        assert_eq!(alloc(0), Some(EINVAL));
        assert_eq!(alloc(usize::MAX / 2), Some(ENOMEM));
        let fault = fail_nth(1);
        assert_eq!(alloc(1), Some(ENOMEM));
        drop(fault);
        bound.set_dma_mask(24);
        assert_eq!(alloc(1), Some(ENOMEM));
        assert_eq!(ledger(&bound).mapped, 0);
    }

    #[test]
    fn what_is_left_at_unbind_is_loud() {
        let mut dev = TestDevice::new(c"gpu0").unwrap();
        let bound = dev.bind().unwrap();
        let one = Coherent::<u64>::zeroed(&bound, GFP_KERNEL).unwrap();

        let ((), warnings) = collect_warnings(|| bound.unbind());
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        drop(one);
        assert_eq!(ledger(&dev.device()).live, 0);
    }
}
