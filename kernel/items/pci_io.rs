// SPDX-License-Identifier: GPL-2.0

//! A BAR that is mapped write-combined, for `rust/kernel/pci/io.rs`. Each part is taken from here by
//! name: the type, the statement of `Bar::new()` that maps, and the function
//! of `Device`.

/// The CPU's way to access a mapped BAR.
#[derive(Clone, Copy)]
pub(super) enum Caching {
    /// Accesses are neither combined nor reordered.
    Uncached,
    /// Writes may be combined, delayed and reordered.
    WriteCombined,
}

impl<'a, const SIZE: usize> Bar<'a, SIZE> {
    fn new() {
        // SAFETY:
        // `pdev` is valid by the invariants of `Device`.
        // `num` is checked for validity by a previous call to `Device::resource_len`.
        let ioptr = unsafe {
            match caching {
                Caching::Uncached => bindings::pci_iomap(pdev.as_raw(), num, 0),
                Caching::WriteCombined => bindings::pci_iomap_wc(pdev.as_raw(), num, 0),
            }
        } as usize;
    }
}

impl Device<device::Bound> {
    /// Maps an entire PCI BAR write-combined after performing a region-request on it. For memory,
    /// such as a framebuffer, and not for registers.
    ///
    /// Where the architecture cannot combine writes, the mapping is uncached.
    pub fn iomap_region_wc<'a>(&'a self, bar: u32, name: &'static CStr) -> Result<Bar<'a>> {
        Bar::new(self, bar, name, Caching::WriteCombined)
    }
}
