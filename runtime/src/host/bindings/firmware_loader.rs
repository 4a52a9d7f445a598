// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Firmware images, as in `include/linux/firmware.h` and `drivers/base/firmware_loader/`.
//!
//! A test installs files, in place of `/lib/firmware`.

use super::{device, kmalloc_obj, printk, GFP_KERNEL, KERN_WARNING};
use crate::error::code;
use core::{
    ffi::{c_char, c_int, c_void, CStr},
    ptr,
};
use std::{
    collections::BTreeMap,
    ffi::CString,
    sync::{Arc, Mutex, PoisonError},
};

/// The installed files by name.
static FILES: Mutex<BTreeMap<CString, Arc<[u8]>>> = Mutex::new(BTreeMap::new());

/// An image: `struct firmware`.
#[repr(C)]
pub struct firmware {
    /// Size of the image in bytes.
    pub size: usize,
    /// The image.
    pub data: *const u8,
    /// The loader's own.
    pub priv_: *mut c_void,
    bytes: Arc<[u8]>,
}

/// Installs a file that drivers request by `name`, in place of the one before.
///
/// Images that were requested before keep their bytes.
///
/// # Examples
///
/// ```
/// use kernel::{firmware::Firmware, prelude::*, testing::{self, TestDevice}};
///
/// testing::install_firmware(c"acme/queue.bin", b"\x01\x02");
/// let gpu = TestDevice::new(c"gpu0")?.device();
/// assert_eq!(Firmware::request(c"acme/queue.bin", &gpu)?.data(), b"\x01\x02");
/// # Ok::<(), Error>(())
/// ```
pub fn install_firmware(name: &CStr, bytes: &[u8]) {
    let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
    files.insert(name.to_owned(), bytes.into());
}

/// Requests an image by name, and warns if there is none.
///
/// Returns 0, `-EINVAL` for an empty name or one with `..` in it, `-ENOENT` if no such file is
/// installed, or `-ENOMEM`.
///
/// # Safety
///
/// - `fw` is valid for writing.
/// - `name` is a C string.
/// - `dev` is a valid device.
pub unsafe fn request_firmware(
    fw: *mut *const firmware,
    name: *const c_char,
    dev: *mut device,
) -> c_int {
    // SAFETY: By the same requirements.
    let error = unsafe { firmware_request_nowarn(fw, name, dev) };
    if error == code::ENOENT.to_errno() {
        // SAFETY: The caller promises that `dev` is valid.
        let dev = unsafe { crate::device::Device::<crate::device::Normal>::from_raw(dev) };
        // SAFETY: The caller promises that it is a C string.
        let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
        printk(
            KERN_WARNING,
            format!(
                "{}: Direct firmware load for {name} failed with error {error}\n",
                dev.name().to_string_lossy()
            ),
        );
    }

    error
}

/// As [`request_firmware()`], for an image that a driver can do without: does not warn.
///
/// # Safety
///
/// As [`request_firmware()`].
pub unsafe fn firmware_request_nowarn(
    fw: *mut *const firmware,
    name: *const c_char,
    _dev: *mut device,
) -> c_int {
    // SAFETY: The caller promises that it is valid for writing.
    unsafe { *fw = ptr::null() };
    // SAFETY: The caller promises that it is a C string.
    let name = unsafe { CStr::from_ptr(name) };
    if name.is_empty() || name.to_bytes().windows(2).any(|part| part == b"..") {
        return code::EINVAL.to_errno();
    }

    let files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(bytes) = files.get(name).cloned() else {
        return code::ENOENT.to_errno();
    };
    drop(files);
    let image = kmalloc_obj(
        firmware {
            size: bytes.len(),
            data: bytes.as_ptr(),
            priv_: ptr::null_mut(),
            bytes,
        },
        GFP_KERNEL,
    );
    if image.is_null() {
        return code::ENOMEM.to_errno();
    }
    // SAFETY: The caller promises that `fw` is valid for writing.
    unsafe { *fw = image };
    0
}

/// Releases an image. Null is ignored.
///
/// # Safety
///
/// `fw` is null, or was requested and is not used any more.
pub unsafe fn release_firmware(fw: *const firmware) {
    if !fw.is_null() {
        // SAFETY: `kmalloc_obj()` has made it, and the caller promises that nobody uses it.
        drop(unsafe { Box::from_raw(fw.cast_mut()) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::{
            code::{EINVAL, ENOENT, ENOMEM},
            Result,
        },
        firmware::Firmware,
        testing::{collect_printed, fail_nth, TestDevice},
    };

    #[test]
    fn an_image_keeps_its_bytes() -> Result {
        let dev = TestDevice::new(c"fw0")?.device();
        install_firmware(c"a/keeps.bin", b"one");
        let image = Firmware::request(c"a/keeps.bin", &dev)?;
        install_firmware(c"a/keeps.bin", b"other");

        assert_eq!((image.size(), image.data()), (3, &b"one"[..]));
        assert_eq!(
            Firmware::request(c"a/keeps.bin", &dev)?.data(),
            &b"other"[..]
        );
        Ok(())
    }

    #[test]
    fn a_missing_file_is_warned_of_once() -> Result {
        let dev = TestDevice::new(c"fw1")?.device();

        let (error, printed) = collect_printed(|| Firmware::request(c"no.bin", &dev).err());
        assert_eq!(error, Some(ENOENT));
        let [warning] = &printed[..] else {
            panic!("{printed:?}");
        };
        assert_eq!(
            warning.text(),
            "fw1: Direct firmware load for no.bin failed with error -2"
        );
        assert_eq!(warning.level(), 4);

        let (error, printed) = collect_printed(|| Firmware::request_nowarn(c"no.bin", &dev).err());
        assert_eq!(error, Some(ENOENT));
        assert!(printed.is_empty());
        Ok(())
    }

    #[test]
    fn wrong_names_and_lack_of_memory() -> Result {
        let dev = TestDevice::new(c"fw2")?.device();
        install_firmware(c"a/memory.bin", b"one");

        for name in [c"", c"../a"] {
            assert_eq!(Firmware::request(name, &dev).err(), Some(EINVAL));
        }
        let failing = fail_nth(1);
        assert_eq!(Firmware::request(c"a/memory.bin", &dev).err(), Some(ENOMEM));
        drop(failing);
        Firmware::request(c"a/memory.bin", &dev)?;
        Ok(())
    }
}
