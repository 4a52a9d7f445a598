// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Scatter-gather tables of memory that Rust code owns: a part of `rust/kernel/scatterlist.rs`.

use super::SGTable;
use crate::{
    alloc::{allocator::VmallocPageIter, Flags},
    bindings,
    device::{Bound, Device},
    devres::Devres,
    dma::DataDirection,
    error::to_result,
    page::AsPageIter,
    prelude::*,
    sync::aref::ARef,
    types::Opaque,
};
use core::{ops::Deref, ptr::NonNull};

/// A table that is mapped for DMA. Dropping it unmaps the table.
///
/// # Invariants
///
/// `sgt` is a valid table, mapped for `dev` and `dir`.
struct DmaMappedSgt {
    sgt: NonNull<bindings::sg_table>,
    dev: ARef<Device>,
    dir: DataDirection,
}

// SAFETY: No thread is tied to a table.
unsafe impl Send for DmaMappedSgt {}
// SAFETY: There is nothing to be done with a shared one.
unsafe impl Sync for DmaMappedSgt {}

impl DmaMappedSgt {
    /// Maps a table: `dma_map_sgtable()`.
    ///
    /// # Safety
    ///
    /// `sgt` is valid until the result is dropped, and nobody else unmaps it.
    unsafe fn new(
        sgt: NonNull<bindings::sg_table>,
        dev: &Device<Bound>,
        dir: DataDirection,
    ) -> Result<Self> {
        // SAFETY: The device is bound, and the table is valid.
        to_result(unsafe { bindings::dma_map_sgtable(dev.as_raw(), sgt.as_ptr(), dir.into(), 0) })?;

        // INVARIANT: It was mapped.
        Ok(Self {
            sgt,
            dev: dev.into(),
            dir,
        })
    }
}

impl Drop for DmaMappedSgt {
    fn drop(&mut self) {
        // SAFETY: By the type's invariants.
        unsafe {
            bindings::dma_unmap_sgtable(self.dev.as_raw(), self.sgt.as_ptr(), self.dir.into(), 0)
        };
    }
}

/// A table. Dropping it frees its entries.
struct RawSGTable(Opaque<bindings::sg_table>);

// SAFETY: No thread is tied to a table.
unsafe impl Send for RawSGTable {}
// SAFETY: A shared table is only read.
unsafe impl Sync for RawSGTable {}

impl RawSGTable {
    /// Makes a table of pages: `sg_alloc_table_from_pages_segment()`.
    ///
    /// # Safety
    ///
    /// The pages are valid until the result is dropped.
    unsafe fn new(
        pages: &mut [*mut bindings::page],
        size: usize,
        max_segment: u32,
        flags: Flags,
    ) -> Result<Self> {
        if pages.is_empty() {
            return Err(EINVAL);
        }
        let gfp = if flags.contains(GFP_KERNEL) {
            bindings::GFP_KERNEL
        } else {
            0
        };

        let sgt = Opaque::zeroed();
        // SAFETY: The table is valid for writing, and there is at least one page.
        to_result(unsafe {
            bindings::sg_alloc_table_from_pages_segment(
                sgt.get(),
                pages.as_mut_ptr(),
                pages.len().try_into()?,
                0,
                size.try_into()?,
                max_segment,
                gfp,
            )
        })?;
        Ok(Self(sgt))
    }
}

impl Drop for RawSGTable {
    fn drop(&mut self) {
        // SAFETY: `new()` has made it, and nobody uses it any more.
        unsafe { bindings::sg_free_table(self.0.get()) };
    }
}

/// The contents of an [`SGTable`] that owns its memory: the mapping, which unbind ends as well, the
/// table, and the pages. They are dropped in this order.
#[pin_data]
pub struct Owned<P> {
    #[pin]
    dma: Devres<DmaMappedSgt>,
    sgt: RawSGTable,
    _pages: P,
}

// SAFETY: Nothing but the pages may be tied to a thread.
unsafe impl<P: Send> Send for Owned<P> {}
// SAFETY: A shared table is only read.
unsafe impl<P: Sync> Sync for Owned<P> {}

impl<P> Owned<P>
where
    for<'a> P: AsPageIter<Iter<'a> = VmallocPageIter<'a>> + 'static,
{
    fn new(
        dev: &Device<Bound>,
        mut pages: P,
        dir: DataDirection,
        flags: Flags,
    ) -> Result<impl PinInit<Self, Error> + '_> {
        let iter = pages.page_iter();
        let size = iter.size();
        flags.try_alloc()?;
        let mut list: Vec<_> = iter.map(|page| page.as_ptr()).collect();

        // SAFETY: The device is alive.
        let max_segment = match unsafe { bindings::dma_max_mapping_size(dev.as_raw()) } {
            0 => u32::MAX,
            max_segment => u32::try_from(max_segment).unwrap_or(u32::MAX),
        };

        Ok(try_pin_init!(&this in Self {
            // SAFETY: `_pages` is dropped after the table.
            sgt: unsafe { RawSGTable::new(&mut list, size, max_segment, flags) }?,
            dma <- {
                // SAFETY: `this` is valid, and pinned.
                let sgt = unsafe { &raw mut (*this.as_ptr()).sgt }.cast::<bindings::sg_table>();

                NonNull::new(sgt).ok_or(EINVAL).and_then(|sgt| {
                    // SAFETY: The table is dropped after the mapping.
                    let mapped = unsafe { DmaMappedSgt::new(sgt, dev, dir) };
                    Devres::new(dev, mapped)
                })
            },
            _pages: pages,
        }))
    }
}

impl<P> SGTable<Owned<P>>
where
    for<'a> P: AsPageIter<Iter<'a> = VmallocPageIter<'a>> + 'static,
{
    /// Makes a table of `pages`, which it owns from then on, and maps it for DMA.
    ///
    /// # Unbind
    ///
    /// The mapping is ended, if the table was not dropped before. The table stays, with the
    /// addresses that were mapped.
    ///
    /// # Errors
    ///
    /// - `EINVAL` if there are no pages.
    /// - `ENOMEM`.
    /// - `EIO` if the device does not reach all of the memory.
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{dma, prelude::*, scatterlist::SGTable, testing::TestDevice};
    ///
    /// let mut gpu = TestDevice::new(c"gpu0")?;
    /// let bound = gpu.bind()?;
    ///
    /// let pages = VVec::from_elem(0_u8, 8192, GFP_KERNEL)?;
    /// let table = KBox::pin_init(
    ///     SGTable::new(&bound, pages, dma::DataDirection::ToDevice, GFP_KERNEL),
    ///     GFP_KERNEL,
    /// )?;
    /// assert_eq!(table.iter().map(|entry| entry.dma_len()).sum::<u64>(), 8192);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn new(
        dev: &Device<Bound>,
        pages: P,
        dir: DataDirection,
        flags: Flags,
    ) -> impl PinInit<Self, Error> + '_ {
        try_pin_init!(Self {
            inner <- Owned::new(dev, pages, dir, flags)?
        })
    }
}

impl<P> Deref for SGTable<Owned<P>> {
    type Target = SGTable;

    #[inline]
    fn deref(&self) -> &SGTable {
        // SAFETY: The table is there as long as `self`, and does not change.
        unsafe { SGTable::from_raw(self.inner.sgt.0.get()) }
    }
}
