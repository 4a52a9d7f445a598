// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The DRM subsystem. Stands for `rust/kernel/drm/`.
//!
//! C headers: `include/drm/drm_device.h`, `include/drm/drm_drv.h`, `include/drm/drm_file.h` and
//! `include/drm/drm_gem.h`. There are no nodes in `/dev`: a test opens a file by
//! [`testing::DrmFile`](crate::testing::DrmFile), and nobody calls ioctls.

pub mod device;
pub mod driver;
pub mod file;
pub mod gem;
pub mod ioctl;

pub use self::{
    device::{
        Device, DeviceContext, Ioctl, Normal, Registered, RegistrationGuard, UnregisteredDevice,
    },
    driver::{Driver, DriverInfo, Registration},
    file::File,
};

#[cfg(test)]
mod tests;
