// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The allocators.
//!
//! Stands for `rust/kernel/alloc/allocator.rs`. C headers: `include/linux/slab.h` and
//! `include/linux/vmalloc.h`.
//!
//! All memory comes from the host's allocator, with the sizes, the alignments and the contexts of
//! the kernel's. Memory moves whenever its size changes, so that a pointer into it that is kept is
//! found by AddressSanitizer.

pub use super::iter::VmallocPageIter;

use super::{
    flags::{__GFP_NOWARN, __GFP_ZERO},
    AllocError, Allocator, Flags, NumaNode,
};
use crate::{bindings, fault, page::PAGE_SIZE};
use core::{
    alloc::Layout,
    ptr::{self, NonNull},
};
use std::alloc;
#[cfg(test)]
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// The alignment of `kmalloc()`: `ARCH_KMALLOC_MINALIGN` of x86.
const ARCH_KMALLOC_MINALIGN: usize = align_of::<u64>();

/// The largest size of `kmalloc()`: `KMALLOC_MAX_SIZE`, 4 MiB for pages of 4 KiB.
const KMALLOC_MAX_SIZE: usize = PAGE_SIZE << 10;

/// The largest size of `kvmalloc()`: `INT_MAX`.
const KVMALLOC_MAX_SIZE: usize = i32::MAX as usize;

/// How many bytes are allocated, by all tests.
#[cfg(test)]
pub(crate) static BYTES: AtomicI64 = AtomicI64::new(0);

/// Contiguous memory of up to 4 MiB: `kmalloc()`.
///
/// Freeing it does not sleep.
pub struct Kmalloc;

/// Memory that is contiguous in virtual addresses only, in whole pages: `vmalloc()`.
///
/// Freeing it may sleep, so it must not be dropped in atomic context.
pub struct Vmalloc;

/// As [`Kmalloc`] if possible, and as [`Vmalloc`] otherwise: `kvmalloc()`.
///
/// Up to the size of a page it is as [`Kmalloc`]. A larger one may be of either kind, so that it
/// must not be dropped in atomic context.
pub struct KVmalloc;

impl Kmalloc {
    /// Returns the layout of the memory that is allocated for `layout`: its size is a multiple of
    /// its alignment.
    pub fn aligned_layout(layout: Layout) -> Layout {
        layout.pad_to_align()
    }
}

// SAFETY: `realloc()` below gives out memory of the host's allocator with at least the alignment
// asked for, and nothing frees it but itself.
unsafe impl Allocator for Kmalloc {
    const MIN_ALIGN: usize = ARCH_KMALLOC_MINALIGN;

    #[inline]
    unsafe fn realloc(
        ptr: Option<NonNull<u8>>,
        layout: Layout,
        old_layout: Layout,
        flags: Flags,
        _nid: NumaNode,
    ) -> Result<NonNull<[u8]>, AllocError> {
        check_size(layout, KMALLOC_MAX_SIZE, "kmalloc", flags)?;

        // SAFETY: The caller promises that `ptr` is memory with the layout `old_layout`, or has no
        // size.
        unsafe { realloc::<Self>(ptr, layout, old_layout, flags, "kmalloc") }
    }
}

// SAFETY: As for `Kmalloc`.
unsafe impl Allocator for Vmalloc {
    const MIN_ALIGN: usize = PAGE_SIZE;

    #[inline]
    unsafe fn realloc(
        ptr: Option<NonNull<u8>>,
        layout: Layout,
        old_layout: Layout,
        flags: Flags,
        _nid: NumaNode,
    ) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: The caller promises that `ptr` is memory with the layout `old_layout`, or has no
        // size.
        let memory = unsafe { realloc::<Self>(ptr, layout, old_layout, flags, "vmalloc") };

        // The report comes last, so that the memory is freed in any case.
        freeing_may_sleep(layout, old_layout, 0, "vfree");
        memory
    }
}

// SAFETY: As for `Kmalloc`.
unsafe impl Allocator for KVmalloc {
    const MIN_ALIGN: usize = ARCH_KMALLOC_MINALIGN;

    #[inline]
    unsafe fn realloc(
        ptr: Option<NonNull<u8>>,
        layout: Layout,
        old_layout: Layout,
        flags: Flags,
        _nid: NumaNode,
    ) -> Result<NonNull<[u8]>, AllocError> {
        check_size(layout, KVMALLOC_MAX_SIZE, "kvmalloc", flags)?;
        // SAFETY: The caller promises that `ptr` is memory with the layout `old_layout`, or has no
        // size.
        let memory = unsafe { realloc::<Self>(ptr, layout, old_layout, flags, "kvmalloc") };

        // The report comes last, so that the memory is freed in any case.
        freeing_may_sleep(layout, old_layout, PAGE_SIZE, "kvfree");
        memory
    }
}

/// Reports atomic context, where the C function `what` has freed memory of more than `above` bytes.
#[inline]
#[track_caller]
fn freeing_may_sleep(layout: Layout, old_layout: Layout, above: usize, what: &str) {
    if layout.size() == 0 && old_layout.size() > above {
        fault::might_sleep(what);
    }
}

/// Reports a size that the C function `what` never serves, unless `flags` say not to.
#[inline]
#[track_caller]
fn check_size(layout: Layout, max: usize, what: &str, flags: Flags) -> Result<(), AllocError> {
    if layout.size() <= max {
        return Ok(());
    }
    if !flags.contains(__GFP_NOWARN) {
        bindings::warn(format!(
            "{what}() of {} bytes: it serves up to {max}",
            layout.size()
        ));
    }
    Err(AllocError)
}

/// Returns the layout that the host's allocator is asked for.
fn host_layout<A: Allocator>(layout: Layout) -> Result<Layout, AllocError> {
    layout
        .align_to(A::MIN_ALIGN)
        .map(|layout| layout.pad_to_align())
        .map_err(|_| AllocError)
}

/// The common part of all allocators.
///
/// # Safety
///
/// As for [`Allocator::realloc()`].
#[track_caller]
unsafe fn realloc<A: Allocator>(
    old: Option<NonNull<u8>>,
    layout: Layout,
    old_layout: Layout,
    flags: Flags,
    what: &str,
) -> Result<NonNull<[u8]>, AllocError> {
    let size = layout.size();
    let new = if size == 0 {
        // A pointer that is aligned, and to nothing.
        ptr::without_provenance_mut(layout.align())
    } else {
        // Memory that shrinks is never out of memory.
        if size > old_layout.size() {
            flags.try_alloc_by(what)?;
        }
        let host = host_layout::<A>(layout)?;

        if flags.contains(__GFP_ZERO) {
            // SAFETY: The size is not zero.
            unsafe { alloc::alloc_zeroed(host) }
        } else {
            // SAFETY: The size is not zero.
            unsafe { alloc::alloc(host) }
        }
    };
    let new = NonNull::new(new).ok_or(AllocError)?;

    if let Some(old) = old.filter(|_| old_layout.size() != 0) {
        let host = host_layout::<A>(old_layout)?;

        // SAFETY: Both are valid for as many bytes, and the new memory is separate.
        unsafe {
            ptr::copy_nonoverlapping(old.as_ptr(), new.as_ptr(), size.min(old_layout.size()))
        };
        // SAFETY: By the safety requirements the memory was allocated above with this layout.
        unsafe { alloc::dealloc(old.as_ptr(), host) };
    }
    // CAST: No layout is larger than `isize::MAX`.
    #[cfg(test)]
    BYTES.fetch_add(size as i64 - old_layout.size() as i64, Relaxed);

    Ok(NonNull::slice_from_raw_parts(new, size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alloc::{flags::*, Box, KBox, KVBox, VBox},
        bindings::collect_warnings,
        sync::rcu,
        testing::fail_nth,
    };
    use core::mem::MaybeUninit;
    use std::panic::{catch_unwind, AssertUnwindSafe};

    #[repr(align(128))]
    struct Aligned(#[allow(dead_code)] [u8; 1000]);

    #[repr(align(8192))]
    struct VeryAligned(#[allow(dead_code)] [u8; 100]);

    fn address<T, A: Allocator>() -> usize {
        let memory = Box::<T, A>::new_uninit(GFP_KERNEL).unwrap();
        (&raw const *memory).addr()
    }

    #[test]
    fn memory_is_aligned() {
        for address in [
            address::<Aligned, Kmalloc>(),
            address::<Aligned, Vmalloc>(),
            address::<Aligned, KVmalloc>(),
        ] {
            assert_eq!(address % 128, 0);
        }
        for address in [
            address::<VeryAligned, Kmalloc>(),
            address::<VeryAligned, Vmalloc>(),
            address::<VeryAligned, KVmalloc>(),
        ] {
            assert_eq!(address % 8192, 0);
        }
        assert_eq!(address::<u8, Kmalloc>() % ARCH_KMALLOC_MINALIGN, 0);
        assert_eq!(address::<u8, Vmalloc>() % PAGE_SIZE, 0);
    }

    #[test]
    fn contents_are_kept_and_the_rest_is_zeroed() {
        fn check<A: Allocator>() {
            let small = Layout::array::<u8>(16).unwrap();
            let large = Layout::array::<u8>(64).unwrap();
            let flags = GFP_KERNEL | __GFP_ZERO;

            let memory = A::alloc(small, GFP_KERNEL, NumaNode::NO_NODE).unwrap();
            // SAFETY: It is valid for 16 bytes.
            unsafe { memory.cast::<u8>().write_bytes(7, 16) };

            // SAFETY: It was allocated with this layout.
            let memory = unsafe {
                A::realloc(Some(memory.cast()), large, small, flags, NumaNode::NO_NODE).unwrap()
            };
            // SAFETY: All 64 bytes were written.
            let bytes = unsafe { memory.as_ref() };
            assert_eq!(bytes[..16], [7; 16]);
            assert_eq!(bytes[16..], [0; 48]);

            // SAFETY: It was allocated with this layout.
            let memory = unsafe {
                A::realloc(Some(memory.cast()), small, large, flags, NumaNode::NO_NODE).unwrap()
            };
            // SAFETY: All 16 bytes were copied.
            assert_eq!(unsafe { memory.as_ref() }, [7; 16]);
            // SAFETY: It was allocated with this layout.
            unsafe { A::free(memory.cast(), small) };
        }

        check::<Kmalloc>();
        check::<Vmalloc>();
        check::<KVmalloc>();
    }

    #[test]
    fn a_failure_leaves_the_old_memory() {
        let small = Layout::array::<u8>(16).unwrap();
        let large = Layout::array::<u8>(64).unwrap();
        let memory = Kmalloc::alloc(small, GFP_KERNEL, NumaNode::NO_NODE).unwrap();

        let fault = fail_nth(1);
        let grown = Some(memory.cast());
        // SAFETY: It was allocated with this layout.
        let grown = unsafe { Kmalloc::realloc(grown, large, small, GFP_KERNEL, NumaNode(0)) };
        assert_eq!(grown, Err(AllocError));
        drop(fault);

        // SAFETY: It was allocated with this layout, and is still there.
        unsafe { Kmalloc::free(memory.cast(), small) };
    }

    #[test]
    fn only_kmalloc_has_a_small_limit() {
        type Large = MaybeUninit<[u8; KMALLOC_MAX_SIZE + 1]>;

        let (memory, warnings) = collect_warnings(|| KBox::<Large>::new_uninit(GFP_KERNEL).err());
        assert_eq!(memory, Some(AllocError));
        assert_eq!(
            warnings,
            ["kmalloc() of 4194305 bytes: it serves up to 4194304"]
        );
        let quiet = KBox::<Large>::new_uninit(GFP_KERNEL | __GFP_NOWARN);
        assert_eq!(quiet.err(), Some(AllocError));

        assert!(VBox::<Large>::new_uninit(GFP_KERNEL).is_ok());
        assert!(KVBox::<Large>::new_uninit(GFP_KERNEL).is_ok());
    }

    #[test]
    fn freeing_virtual_memory_in_atomic_context_is_loud() {
        fn report(f: impl FnOnce()) -> Option<String> {
            let _atomic = rcu::read_lock();
            let report = catch_unwind(AssertUnwindSafe(f)).err()?;
            Some(*report.downcast::<String>().unwrap())
        }

        let memory = VBox::new(1, GFP_KERNEL).unwrap();
        assert!(report(|| drop(memory)).unwrap().contains("vfree()"));

        let memory = KVBox::new([0u8; PAGE_SIZE + 1], GFP_KERNEL).unwrap();
        assert!(report(|| drop(memory)).unwrap().contains("kvfree()"));

        let memory = KVBox::new([0u8; PAGE_SIZE], GFP_KERNEL).unwrap();
        assert!(report(|| drop(memory)).is_none());
        let memory = KBox::new([0u8; PAGE_SIZE + 1], GFP_KERNEL).unwrap();
        assert!(report(|| drop(memory)).is_none());

        let _atomic = rcu::read_lock();
        assert!(VBox::new((), GFP_ATOMIC).is_ok());
    }

    #[test]
    fn what_has_no_size_needs_no_memory() {
        let fault = fail_nth(1);
        assert!(KBox::new((), GFP_KERNEL).is_ok());
        assert!(!fault.tripped());
    }
}
