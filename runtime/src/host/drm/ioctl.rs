// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The list of a driver's ioctls. Stands for `rust/kernel/drm/ioctl.rs`. C header:
//! `include/drm/drm_ioctl.h`.

use crate::bindings;

/// One ioctl: `struct drm_ioctl_desc`.
pub type DrmIoctlDescriptor = bindings::drm_ioctl_desc;
