// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Pointers: how large and how aligned what they point to is. Stands for `rust/kernel/ptr.rs`.

pub mod projection;

pub use crate::project_pointer as project;
use core::num::NonZero;

/// An alignment: a power of two.
///
/// # Invariants
///
/// It is one.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alignment(NonZero<usize>);

impl Alignment {
    /// An alignment of that many bytes. A number that is no power of two does not compile.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::ptr::Alignment;
    ///
    /// assert_eq!(Alignment::new::<16>().as_usize(), 16);
    /// ```
    #[inline]
    pub const fn new<const ALIGN: usize>() -> Self {
        const {
            match Self::new_checked(ALIGN) {
                Some(this) => this,
                None => panic!("an alignment is a power of two"),
            }
        }
    }

    /// An alignment of that many bytes, or [`None`] if that is no power of two.
    #[inline]
    pub const fn new_checked(align: usize) -> Option<Self> {
        match NonZero::new(align) {
            // INVARIANT: It was checked.
            Some(align) if align.is_power_of_two() => Some(Self(align)),
            _ => None,
        }
    }

    /// The alignment of a type.
    #[inline]
    pub const fn of<T>() -> Self {
        match Self::new_checked(align_of::<T>()) {
            Some(this) => this,
            None => unreachable!(),
        }
    }

    /// Returns the alignment in bytes.
    #[inline]
    pub const fn as_usize(self) -> usize {
        self.0.get()
    }

    /// Returns the alignment in bytes.
    #[inline]
    pub const fn as_nonzero(self) -> NonZero<usize> {
        self.0
    }

    /// Returns the base-2 logarithm.
    #[inline]
    pub const fn log2(self) -> u32 {
        self.0.get().trailing_zeros()
    }

    /// Returns what clears the bits of an address that are below the alignment.
    #[inline]
    pub const fn mask(self) -> usize {
        !(self.0.get() - 1)
    }
}

/// A type of which a pointer says how large the value is.
pub trait KnownSize {
    /// The size that each value has at least.
    const MIN_SIZE: usize;

    /// The alignment that each value has at least.
    const MIN_ALIGN: Alignment;

    /// Returns the size of what `p` points to, in bytes. The pointer need not be valid.
    fn size(p: *const Self) -> usize;
}

impl<T> KnownSize for T {
    const MIN_SIZE: usize = size_of::<T>();
    const MIN_ALIGN: Alignment = Alignment::of::<T>();

    #[inline]
    fn size(_: *const Self) -> usize {
        size_of::<T>()
    }
}

impl<T> KnownSize for [T] {
    const MIN_SIZE: usize = 0;
    const MIN_ALIGN: Alignment = Alignment::of::<T>();

    #[inline]
    fn size(p: *const Self) -> usize {
        p.len() * size_of::<T>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_powers_of_two() {
        for align in [0, 3, 6, usize::MAX] {
            assert_eq!(Alignment::new_checked(align), None);
        }
        let align = Alignment::of::<u64>();
        assert_eq!((align.as_usize(), align.log2()), (8, 3));
        assert_eq!(0x1fff & align.mask(), 0x1ff8);
        assert_eq!(align.as_nonzero().get(), 8);
    }

    #[test]
    fn sizes() {
        let slice = core::ptr::slice_from_raw_parts(core::ptr::null::<u32>(), 3);
        assert_eq!(<[u32]>::size(slice), 12);
        assert_eq!(u64::size(core::ptr::null()), 8);
        assert_eq!(<[u32] as KnownSize>::MIN_SIZE, 0);
    }
}
