// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Allocation that can fail: flags, allocators, boxes and vectors.
//!
//! Stands for `rust/kernel/alloc.rs` and the files below `rust/kernel/alloc/`. C headers:
//! `include/linux/gfp_types.h`, `include/linux/slab.h` and `include/linux/vmalloc.h`. The memory is
//! that of the host's allocator; it fails when [`fail_nth()`](crate::testing::fail_nth) says so.

pub mod allocator;
pub mod kbox;
pub mod kvec;

mod iter;

pub use self::{
    kbox::{Box, KBox, KVBox, VBox},
    kvec::{IntoIter, KVVec, KVec, VVec, Vec},
};

use crate::{
    bindings,
    error::{code::EINVAL, Result},
    fault,
};
use core::{
    alloc::Layout,
    fmt,
    ops::{BitAnd, BitOr, Not},
    ptr::NonNull,
};

/// There was no memory; as an [`Error`](crate::error::Error) it is `ENOMEM`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AllocError;

impl fmt::Display for AllocError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("allocation failed")
    }
}

impl std::error::Error for AllocError {}

/// How memory may be got, C's `gfp_t`: one of [`flags`], or several of them combined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flags(u32);

impl Flags {
    /// Returns the flags as C code takes them.
    #[inline]
    pub(crate) fn as_raw(self) -> bindings::gfp_t {
        self.0
    }

    /// Returns whether all of `flags` are set in `self`.
    #[inline]
    pub fn contains(self, flags: Flags) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Reports one allocation: that it may sleep, if it may, and whether it is to fail.
    #[inline]
    #[track_caller]
    pub(crate) fn try_alloc(self) -> Result<(), AllocError> {
        self.try_alloc_by("kmalloc")
    }

    /// As [`try_alloc()`](Self::try_alloc), for the C function `what`.
    #[inline]
    #[track_caller]
    fn try_alloc_by(self, what: &str) -> Result<(), AllocError> {
        if self.contains(flags::DIRECT_RECLAIM) {
            fault::might_sleep(what);
        }
        if fault::should_fail() {
            Err(AllocError)
        } else {
            Ok(())
        }
    }
}

impl BitOr for Flags {
    type Output = Self;

    #[inline]
    fn bitor(self, rhs: Self) -> Self {
        Self(self.0 | rhs.0)
    }
}

impl BitAnd for Flags {
    type Output = Self;

    #[inline]
    fn bitand(self, rhs: Self) -> Self {
        Self(self.0 & rhs.0)
    }
}

impl Not for Flags {
    type Output = Self;

    #[inline]
    fn not(self) -> Self {
        Self(!self.0)
    }
}

pub mod flags {
    //! The ways to get memory.
    //!
    //! On the host they differ in two things. An allocation that may sleep panics in atomic
    //! context: while the thread holds the RCU read lock or a spinlock. A request for more than
    //! `kmalloc()` can serve is reported unless [`__GFP_NOWARN`] is set.

    use super::Flags;

    /// Set in all flags with which an allocation may wait for memory.
    pub(super) const DIRECT_RECLAIM: Flags = Flags(0x400);

    const KSWAPD_RECLAIM: Flags = Flags(0x800);
    const IO: Flags = Flags(0x40);
    const FS: Flags = Flags(0x80);
    const HIGH: Flags = Flags(0x20);
    const ACCOUNT: Flags = Flags(0x40_0000);

    /// Asks for zeroed memory; to be combined with one of the others.
    pub const __GFP_ZERO: Flags = Flags(0x100);

    /// Asks that a failure be not reported; to be combined with one of the others.
    pub const __GFP_NOWARN: Flags = Flags(0x2000);

    /// Allows memory that the kernel has not mapped, for pages; to be combined with one of the
    /// others.
    pub const __GFP_HIGHMEM: Flags = Flags(0x2);

    /// The usual way: it may sleep until there is memory.
    pub const GFP_KERNEL: Flags = Flags(DIRECT_RECLAIM.0 | KSWAPD_RECLAIM.0 | IO.0 | FS.0);

    /// As [`GFP_KERNEL`], and the memory counts for the memory control group of the process.
    pub const GFP_KERNEL_ACCOUNT: Flags = Flags(GFP_KERNEL.0 | ACCOUNT.0);

    /// For atomic context: it does not sleep, and may use the reserves.
    pub const GFP_ATOMIC: Flags = Flags(HIGH.0 | KSWAPD_RECLAIM.0);

    /// It does not sleep, and fails when there is no memory at hand.
    pub const GFP_NOWAIT: Flags = Flags(KSWAPD_RECLAIM.0 | __GFP_NOWARN.0);
}

/// A node of the machine's memory. The host has one node and ignores it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NumaNode(i32);

impl NumaNode {
    /// No preference: `NUMA_NO_NODE`.
    pub const NO_NODE: NumaNode = NumaNode(bindings::NUMA_NO_NODE);

    /// Makes the node of this number.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `node` is negative, or not below `MAX_NUMNODES`, which is 64 here.
    pub fn new(node: i32) -> Result<Self> {
        const MAX_NUMNODES: i32 = 64;

        if !(0..MAX_NUMNODES).contains(&node) {
            return Err(EINVAL);
        }
        Ok(Self(node))
    }
}

/// A way to allocate memory: [`Kmalloc`](allocator::Kmalloc), [`Vmalloc`](allocator::Vmalloc) or
/// [`KVmalloc`](allocator::KVmalloc).
///
/// Drivers name an allocator, and do not call it: [`Box`] and [`Vec`] do.
///
/// # Safety
///
/// - Memory stays valid until it is freed or reallocated.
/// - It can be freed by any value of the type, on any thread.
/// - Memory has the size and the alignment of its layout, and at least [`MIN_ALIGN`](Self::MIN_ALIGN).
pub unsafe trait Allocator {
    /// The smallest alignment of all memory of this allocator.
    const MIN_ALIGN: usize;

    /// Allocates memory. A layout without a size needs none, and gets a dangling pointer.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory.
    ///
    /// # Context
    ///
    /// May sleep with [`GFP_KERNEL`](flags::GFP_KERNEL).
    #[track_caller]
    fn alloc(layout: Layout, flags: Flags, nid: NumaNode) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: There is no memory yet.
        unsafe { Self::realloc(None, layout, Layout::new::<()>(), flags, nid) }
    }

    /// Changes the size of memory, and returns the new pointer to it. The contents are kept as far
    /// as both sizes go; with [`__GFP_ZERO`](flags::__GFP_ZERO) the rest is zeroed.
    ///
    /// With a new size of zero it frees the memory, and does not fail.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory. The old memory stays as it is.
    ///
    /// # Context
    ///
    /// May sleep with [`GFP_KERNEL`](flags::GFP_KERNEL).
    ///
    /// # Safety
    ///
    /// `ptr` must be memory of this allocator with the layout `old_layout`, or that has no size.
    #[track_caller]
    unsafe fn realloc(
        ptr: Option<NonNull<u8>>,
        layout: Layout,
        old_layout: Layout,
        flags: Flags,
        nid: NumaNode,
    ) -> Result<NonNull<[u8]>, AllocError>;

    /// Frees memory.
    ///
    /// # Safety
    ///
    /// `ptr` must be memory of this allocator with the layout `layout`, which nobody uses any more.
    #[track_caller]
    unsafe fn free(ptr: NonNull<u8>, layout: Layout) {
        let none = Layout::new::<()>();

        // SAFETY: By the safety requirements; the new size is zero.
        let _ = unsafe { Self::realloc(Some(ptr), none, layout, Flags(0), NumaNode::NO_NODE) };
    }
}

#[cfg(test)]
mod tests {
    use super::{flags::*, *};

    #[test]
    fn flags_combine() {
        assert!((GFP_KERNEL | __GFP_ZERO).contains(__GFP_ZERO));
        assert!(!GFP_KERNEL.contains(__GFP_ZERO));
        assert!(!(GFP_NOWAIT & !__GFP_NOWARN).contains(__GFP_NOWARN));
        assert!(GFP_KERNEL_ACCOUNT.contains(GFP_KERNEL));
    }

    #[test]
    fn nodes_have_a_range() {
        assert_eq!(NumaNode::new(-1), Err(EINVAL));
        assert!(NumaNode::new(63).is_ok());
        assert_eq!(NumaNode::new(64), Err(EINVAL));
    }
}
