// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The smallest DRM driver there is, for the objects of the example.

use devres_lazy::{
    drm::{
        self,
        gem::DriverObject, //
    },
    prelude::*,
};

/// A driver without data of its own.
pub(crate) struct Driver;

impl drm::Driver for Driver {
    type Data = ();
}

/// The driver's part of a GEM object: nothing.
#[pin_data]
pub(crate) struct Buffer {}

impl DriverObject for Buffer {
    type Driver = Driver;
    type Args = ();

    fn new(_: &drm::Device<Driver>, _size: usize, _args: ()) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {})
    }
}
