// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Direct memory access. Stands for `rust/kernel/dma.rs`. C header: `include/linux/dma-mapping.h`.

mod coherent;

pub use self::coherent::Coherent;

use crate::{
    bindings,
    device::{self, Core},
    error::to_result,
    prelude::*,
};

/// An address as a device uses it: `dma_addr_t`.
pub type DmaAddress = bindings::dma_addr_t;

/// The direction of a transfer: `enum dma_data_direction`.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum DataDirection {
    /// Both may do both: `DMA_BIDIRECTIONAL`.
    Bidirectional = bindings::dma_data_direction::DMA_BIDIRECTIONAL.0,
    /// The device reads: `DMA_TO_DEVICE`.
    ToDevice = bindings::dma_data_direction::DMA_TO_DEVICE.0,
    /// The device writes: `DMA_FROM_DEVICE`.
    FromDevice = bindings::dma_data_direction::DMA_FROM_DEVICE.0,
    /// No transfer, for debugging: `DMA_NONE`. Mapping with it is a `BUG_ON()`.
    None = bindings::dma_data_direction::DMA_NONE.0,
}

impl From<DataDirection> for bindings::dma_data_direction {
    fn from(direction: DataDirection) -> Self {
        match direction {
            DataDirection::Bidirectional => Self::DMA_BIDIRECTIONAL,
            DataDirection::ToDevice => Self::DMA_TO_DEVICE,
            DataDirection::FromDevice => Self::DMA_FROM_DEVICE,
            DataDirection::None => Self::DMA_NONE,
        }
    }
}

/// How many bits of an address a device has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DmaMask(u64);

impl DmaMask {
    /// A mask of `N` bits, up to 64. More do not compile.
    #[inline]
    pub const fn new<const N: u32>() -> Self {
        const {
            match Self::try_new(N) {
                Ok(mask) => mask,
                Err(_) => panic!("a DMA mask has up to 64 bits"),
            }
        }
    }

    /// A mask of `n` bits.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `n` is more than 64.
    #[inline]
    pub const fn try_new(n: u32) -> Result<Self> {
        match n {
            0 => Ok(Self(0)),
            1..=64 => Ok(Self(u64::MAX >> (64 - n))),
            _ => Err(EINVAL),
        }
    }

    /// Returns the mask: a one for each bit of an address.
    #[inline]
    pub const fn value(&self) -> u64 {
        self.0
    }
}

/// A device of a bus that can have DMA.
///
/// The model has one mask for both kinds of mappings.
pub trait Device<'a>: AsRef<device::Device<Core<'a>>> {
    /// Sets how far the device reaches with streaming mappings: `dma_set_mask()`.
    ///
    /// # Errors
    ///
    /// None here. The kernel returns `EIO` if the platform cannot do that.
    ///
    /// # Safety
    ///
    /// No other code maps or allocates for the device at the same time.
    unsafe fn dma_set_mask(&self, mask: DmaMask) -> Result {
        // SAFETY: The device is alive, and the caller promises the rest.
        to_result(unsafe { bindings::dma_set_mask(self.as_ref().as_raw(), mask.value()) })
    }

    /// Sets how far the device reaches with all mappings: `dma_set_mask_and_coherent()`.
    ///
    /// # Errors
    ///
    /// As for [`dma_set_mask()`](Self::dma_set_mask).
    ///
    /// # Safety
    ///
    /// As for [`dma_set_mask()`](Self::dma_set_mask).
    unsafe fn dma_set_mask_and_coherent(&self, mask: DmaMask) -> Result {
        // SAFETY: The caller promises the same.
        unsafe { self.dma_set_mask(mask) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks() {
        assert_eq!(DmaMask::new::<24>().value(), 0xff_ffff);
        assert_eq!(DmaMask::new::<64>().value(), u64::MAX);
        assert_eq!(DmaMask::try_new(0).map(|mask| mask.value()), Ok(0));
        assert_eq!(DmaMask::try_new(65), Err(EINVAL));
    }
}
