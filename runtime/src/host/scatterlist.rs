// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Scatter-gather tables. Stands for `rust/kernel/scatterlist.rs`. C header:
//! `include/linux/scatterlist.h`.
//!
//! A table is borrowed from its owner, as the one that `sg_table()` of a buffer returns, or owns its
//! memory.

mod owned;

pub use self::owned::Owned;

use crate::{bindings, dma::DmaAddress, io::ResourceSize, prelude::*, types::Opaque};

/// One run of memory that is contiguous for the device: `struct scatterlist`.
#[repr(transparent)]
pub struct SGEntry(Opaque<bindings::scatterlist>);

// SAFETY: Nothing in an entry is tied to a thread.
unsafe impl Send for SGEntry {}
// SAFETY: A shared reference only gives away copies of fields that nobody writes to while there are
// such references.
unsafe impl Sync for SGEntry {}

impl SGEntry {
    /// # Safety
    ///
    /// `ptr` points to an entry of a table that neither goes away nor changes during `'a`.
    unsafe fn from_raw<'a>(ptr: *mut bindings::scatterlist) -> &'a Self {
        // SAFETY: By the requirement of this function; the type is transparent.
        unsafe { &*ptr.cast() }
    }

    fn as_raw(&self) -> *mut bindings::scatterlist {
        self.0.get()
    }

    /// Where the device finds the run: `sg_dma_address()`.
    #[inline]
    pub fn dma_address(&self) -> DmaAddress {
        // SAFETY: `self` is an entry.
        unsafe { bindings::sg_dma_address(self.as_raw()) }
    }

    /// How long the run is, in bytes: `sg_dma_len()`.
    #[inline]
    pub fn dma_len(&self) -> ResourceSize {
        // SAFETY: `self` is an entry.
        unsafe { bindings::sg_dma_len(self.as_raw()) }.into()
    }
}

mod private {
    /// Keeps what a table can be made of to this module.
    pub trait Sealed {}

    impl Sealed for super::Borrowed {}
    impl<P> Sealed for super::Owned<P> {}
}

/// The contents of an [`SGTable`] that other code owns: a `struct sg_table`.
#[repr(transparent)]
pub struct Borrowed(Opaque<bindings::sg_table>);

// SAFETY: Nothing in a table is tied to a thread.
unsafe impl Send for Borrowed {}
// SAFETY: A shared reference only reads, and nobody writes to a table while there are such
// references.
unsafe impl Sync for Borrowed {}

/// A scatter-gather table that is mapped for a device: `struct sg_table`.
///
/// `T` says who owns it: another value ([`Borrowed`]), or this one ([`Owned`]).
///
/// A reference to one never sleeps and never maps. It says nothing about how long the mapping
/// lasts: whoever hands the reference out makes sure that it ends before the device is unbound.
#[repr(transparent)]
#[pin_data]
pub struct SGTable<T: private::Sealed = Borrowed> {
    #[pin]
    inner: T,
}

impl SGTable {
    /// Lends a table that is managed elsewhere.
    ///
    /// # Safety
    ///
    /// During all of `'a`
    ///
    /// - `ptr` points to a valid table,
    /// - neither that nor its entries change.
    #[inline]
    pub unsafe fn from_raw<'a>(ptr: *mut bindings::sg_table) -> &'a Self {
        // SAFETY: By the requirement of this function; the type is transparent.
        unsafe { &*ptr.cast() }
    }

    /// The entries that are mapped, in order: `for_each_sgtable_dma_sg()`.
    ///
    /// On the host, a table that C code has purged meanwhile is a loud failure, and has no entries.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::scatterlist::SGTable;
    ///
    /// /// Bytes that the device sees.
    /// fn dma_size(table: &SGTable) -> u64 {
    ///     table.iter().map(|entry| entry.dma_len()).sum()
    /// }
    /// ```
    #[track_caller]
    pub fn iter(&self) -> SGTableIter<'_> {
        let table = self.inner.0.get();
        // SAFETY: `self` is a table.
        unsafe { bindings::sg_check_table(table, "SGTable::iter") };
        // SAFETY: `self` is a table.
        let left = unsafe { (*table).nents };
        // SAFETY: `self` is a table.
        let first = unsafe { (*table).sgl };

        SGTableIter {
            // SAFETY: A table with entries has a first one, which lives as long as `self`.
            next: (left > 0).then(|| unsafe { SGEntry::from_raw(first) }),
            left,
        }
    }
}

impl<'a> IntoIterator for &'a SGTable {
    type Item = &'a SGEntry;
    type IntoIter = SGTableIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The mapped entries of an [`SGTable`], see [`SGTable::iter`].
pub struct SGTableIter<'a> {
    next: Option<&'a SGEntry>,
    /// Entries that were not returned yet, `next` included.
    left: c_uint,
}

impl<'a> Iterator for SGTableIter<'a> {
    type Item = &'a SGEntry;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.next.take()?;
        self.left -= 1;

        if self.left > 0 {
            // SAFETY: `entry` is an entry of a live table.
            let next = unsafe { bindings::sg_next(entry.as_raw()) };
            if !next.is_null() {
                // SAFETY: Another entry of the same table.
                self.next = Some(unsafe { SGEntry::from_raw(next) });
            }
        }
        Some(entry)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // A list that ends early is legal.
        (usize::from(self.next.is_some()), Some(self.left as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::ptr;

    /// A table of entries with these lengths, of which `nents` are mapped.
    fn lengths(entries: &mut [bindings::scatterlist], nents: c_uint) -> Vec<(u64, u64)> {
        let mut table = bindings::sg_table {
            sgl: entries.as_mut_ptr(),
            nents,
            orig_nents: entries.len() as c_uint,
        };
        // SAFETY: The table and its entries are alive, and do not change.
        let table = unsafe { SGTable::from_raw(&mut table) };

        table
            .into_iter()
            .map(|entry| (entry.dma_address(), entry.dma_len()))
            .collect()
    }

    #[test]
    fn only_mapped_entries_are_seen() {
        let mut entries = [1, 2, 3].map(|i| bindings::scatterlist {
            page_link: ptr::null_mut(),
            offset: 0,
            length: 0,
            dma_address: i * 0x1000,
            dma_length: i as c_uint,
        });

        assert_eq!(lengths(&mut entries, 0), []);
        assert_eq!(lengths(&mut entries, 2), [(0x1000, 1), (0x2000, 2)]);
        assert_eq!(
            lengths(&mut entries, 3),
            [(0x1000, 1), (0x2000, 2), (0x3000, 3)]
        );

        // The end mark counts, too.
        entries[0].page_link = ptr::without_provenance_mut(2);
        assert_eq!(lengths(&mut entries, 3), [(0x1000, 1)]);
    }
}
