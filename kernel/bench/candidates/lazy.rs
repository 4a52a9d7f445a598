// SPDX-License-Identifier: GPL-2.0

//! The measured object with the slots of `#[devres_lazy]`.

use super::Gem;
use crate::{
    device::{
        Bound,
        Device, //
    },
    devres::{
        Lazy,
        Mapped, //
    },
    drm::gem::shmem::SgTable,
    new_lazy,
    prelude::*, //
};

/// Whether the object has an accessor that needs no bound device.
pub(super) const HAS_TRY_ACCESS: bool = true;

/// Calls that accessor. Returns whether there was a table.
pub(super) fn try_access(obj: &Gem) -> bool {
    obj.try_sg_table().is_some()
}

/// The bytes of an object that are for its table, including the lock.
pub(super) const SLOT: usize = size_of::<Lazy<Mapped<Gem, SgTable>>>();

/// An owner with a slot and nothing else.
#[pin_data]
pub(super) struct Owner {
    #[pin]
    lazy: Lazy<u64>,
}

impl Owner {
    pub(super) fn new() -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            pin_init!(Self {
                lazy <- new_lazy!("Owner::lazy"),
            }),
            GFP_KERNEL,
        )
    }

    pub(super) fn populate(&self, dev: &Device<Bound>) -> Result {
        self.lazy.get_or_populate(dev, || Ok(0))?;
        Ok(())
    }
}
