// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Firmware images. Stands for `rust/kernel/firmware.rs`. C header: `include/linux/firmware.h`.

use crate::{bindings, device::Device, error::to_result, prelude::*};
use core::{
    ptr::{self, NonNull},
    slice,
};

/// A function that requests an image: `request_firmware()` or one of its variants.
type Request = unsafe fn(
    *mut *const bindings::firmware,
    *const core::ffi::c_char,
    *mut bindings::device,
) -> core::ffi::c_int;

/// A firmware image: `struct firmware`. Dropping it releases the image.
///
/// # Invariants
///
/// The image is valid, and this owns it.
///
/// # Examples
///
/// ```
/// use kernel::{firmware::Firmware, prelude::*, testing::TestDevice};
///
/// let gpu = TestDevice::new(c"gpu0")?.device();
/// assert_eq!(Firmware::request_nowarn(c"gpu.bin", &gpu).err(), Some(ENOENT));
/// # Ok::<(), Error>(())
/// ```
pub struct Firmware(NonNull<bindings::firmware>);

impl Firmware {
    fn new(name: &CStr, dev: &Device, request: Request) -> Result<Self> {
        let mut fw = ptr::null();
        // SAFETY: `fw` is a local variable, `name` is a C string, and `dev` is a valid device.
        to_result(unsafe { request(&mut fw, name.as_ptr(), dev.as_raw()) })?;

        // INVARIANT: The request has succeeded, so the image is valid, and it is the caller's.
        NonNull::new(fw.cast_mut()).map(Self).ok_or(ENOENT)
    }

    /// Requests an image and waits for it: `request_firmware()`.
    ///
    /// # Errors
    ///
    /// - [`ENOENT`] if there is no such file, with a warning.
    /// - [`EINVAL`] if the name is empty or has `..` in it.
    /// - [`ENOMEM`] if there is no memory.
    ///
    /// # Context
    ///
    /// May sleep.
    pub fn request(name: &CStr, dev: &Device) -> Result<Self> {
        Self::new(name, dev, bindings::request_firmware)
    }

    /// Requests an image that the driver can do without: `firmware_request_nowarn()`.
    ///
    /// # Errors
    ///
    /// As [`request()`](Self::request), without the warning.
    ///
    /// # Context
    ///
    /// May sleep.
    pub fn request_nowarn(name: &CStr, dev: &Device) -> Result<Self> {
        Self::new(name, dev, bindings::firmware_request_nowarn)
    }

    /// Returns the size of the image in bytes.
    pub fn size(&self) -> usize {
        // SAFETY: By the type's invariants.
        unsafe { self.0.as_ref() }.size
    }

    /// Returns the image.
    pub fn data(&self) -> &[u8] {
        // SAFETY: By the type's invariants.
        let fw = unsafe { self.0.as_ref() };
        // SAFETY: A valid image has `size` bytes at `data`, which do not change.
        unsafe { slice::from_raw_parts(fw.data, fw.size) }
    }
}

impl Drop for Firmware {
    fn drop(&mut self) {
        // SAFETY: By the type's invariants, and nobody uses it after this.
        unsafe { bindings::release_firmware(self.0.as_ptr()) };
    }
}

// SAFETY: An image belongs to no thread.
unsafe impl Send for Firmware {}

// SAFETY: An image does not change.
unsafe impl Sync for Firmware {}
