// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Tables of the devices that a driver is for. Stands for `rust/kernel/device_id.rs`. C header:
//! `include/linux/mod_devicetable.h`.

use core::{
    marker::PhantomData,
    mem::{forget, transmute_copy, MaybeUninit},
    ptr,
};

/// A device ID of a bus.
///
/// # Safety
///
/// It is a transparent wrapper of [`RawType`](Self::RawType).
pub unsafe trait RawDeviceId {
    /// The C struct. All zeroes end a table of it.
    type RawType: Copy;
}

/// A device ID with room for a pointer to what the driver wants to know of the device.
///
/// # Safety
///
/// There is a field for a pointer at [`DRIVER_DATA_OFFSET`](Self::DRIVER_DATA_OFFSET).
pub unsafe trait RawDeviceIdIndex: RawDeviceId {
    /// Where the pointer is.
    const DRIVER_DATA_OFFSET: usize;

    /// Returns what the driver wants to know, if there is a pointer to it.
    ///
    /// # Safety
    ///
    /// The ID comes from an [`IdArray`] with infos of type `U`, or has no pointer.
    unsafe fn info_unchecked_opt<U>(&self) -> Option<&'static U> {
        let info = ptr::from_ref(self)
            .cast::<Option<&'static U>>()
            .wrapping_byte_add(Self::DRIVER_DATA_OFFSET);

        // SAFETY: The field is there, and the caller promises what is in it.
        unsafe { info.read() }
    }
}

/// A table of device IDs, each with an info of type `U`, which C code can read.
#[repr(C)]
pub struct IdArray<T: RawDeviceId, U: 'static, const N: usize> {
    ids: [MaybeUninit<T::RawType>; N],
    end: MaybeUninit<T::RawType>,
    _infos: PhantomData<&'static U>,
}

// SAFETY: It has IDs, which are plain data, and references to infos, which are `Sync`.
unsafe impl<T: RawDeviceId, U: Sync + 'static, const N: usize> Send for IdArray<T, U, N> {}
// SAFETY: It has IDs, which never change, and references to infos, which are `Sync`.
unsafe impl<T: RawDeviceId, U: Sync + 'static, const N: usize> Sync for IdArray<T, U, N> {}

impl<T: RawDeviceIdIndex, U: 'static, const N: usize> IdArray<T, U, N> {
    /// Makes a table.
    pub const fn new(ids: [(T, &'static U); N]) -> Self {
        let mut raw = [const { MaybeUninit::<T::RawType>::uninit() }; N];

        let mut i = 0;
        while i < N {
            // SAFETY: An ID is a transparent wrapper of the C struct.
            raw[i] = unsafe { transmute_copy(&ids[i].0) };
            let info = raw[i].as_mut_ptr().cast::<&'static U>();
            // SAFETY: The field is part of the ID.
            let info = unsafe { info.byte_add(T::DRIVER_DATA_OFFSET) };
            // SAFETY: The field has room for a pointer.
            unsafe { info.write(ids[i].1) };
            i += 1;
        }
        forget(ids);

        Self {
            ids: raw,
            end: MaybeUninit::zeroed(),
            _infos: PhantomData,
        }
    }
}

/// A table of any length.
pub trait IdTable<T: RawDeviceId, U> {
    /// Returns the first ID. The last one is followed by zeroes.
    fn as_ptr(&self) -> *const T::RawType;
}

impl<T: RawDeviceId, U, const N: usize> IdTable<T, U> for IdArray<T, U, N> {
    fn as_ptr(&self) -> *const T::RawType {
        ptr::from_ref(self).cast()
    }
}
