// SPDX-License-Identifier: Apache-2.0 OR MIT

//! An object whose initialiser misbehaves.

use kernel::{
    device::{
        Bound,
        Device, //
    },
    devres_lazy, new_lazy,
    prelude::*,
    sync::aref::ARef,
};
use std::sync::atomic::{
    AtomicU32,
    Ordering, //
};

/// An object whose initialiser misbehaves on the first call.
#[devres_lazy]
#[pin_data]
pub(super) struct Probe {
    dev: ARef<Device>,
    made: AtomicU32,
    misbehave: fn(&Probe, &Device<Bound>),

    #[lazy(
        pub(super) fn number -> u32,
        device = &self.dev,
        init = self.make(dev),
    )]
    number: u32,
}

impl Probe {
    pub(super) fn new(
        dev: &Device<Bound>,
        misbehave: fn(&Probe, &Device<Bound>),
    ) -> Result<Pin<KBox<Self>>> {
        KBox::try_pin_init(
            try_pin_init!(Self {
                dev: dev.into(),
                made: AtomicU32::new(0),
                misbehave,
                number <- new_lazy!("Probe::number"),
            }),
            GFP_KERNEL,
        )
    }

    fn make(&self, dev: &Device<Bound>) -> u32 {
        if self.made.fetch_add(1, Ordering::Relaxed) == 0 {
            (self.misbehave)(self, dev);
        }
        42
    }
}
