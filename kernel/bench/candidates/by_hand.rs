// SPDX-License-Identifier: GPL-2.0

//! The measured object by hand: a `Devres` for each resource, as Linux 7.3 has it in `shmem.rs`.

use super::{
    super::{
        contract_kunit::KunitObject,
        SGTableMap, //
    },
    Gem,
};
use crate::{
    device::{
        Bound,
        Device, //
    },
    devres::Devres,
    new_mutex,
    prelude::*,
    sync::{
        Mutex,
        SetOnce, //
    },
};

/// Whether the object has an accessor that needs no bound device.
pub(super) const HAS_TRY_ACCESS: bool = false;

/// Calls that accessor. Returns whether there was a table.
pub(super) fn try_access(_obj: &Gem) -> bool {
    false
}

/// The bytes of an object that are for its table, including the lock.
pub(super) const SLOT: usize =
    size_of::<SetOnce<Devres<SGTableMap<KunitObject>>>>() + size_of::<Mutex<()>>();

/// An owner with the same fields as `Object` has, and nothing else.
#[pin_data]
pub(super) struct Owner {
    res: SetOnce<Devres<u64>>,
    #[pin]
    lock: Mutex<()>,
}

impl Owner {
    pub(super) fn new() -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            pin_init!(Self {
                res: SetOnce::new(),
                lock <- new_mutex!(()),
            }),
            GFP_KERNEL,
        )
    }

    pub(super) fn populate(&self, dev: &Device<Bound>) -> Result {
        let _guard = self.lock.lock();
        if self.res.as_ref().is_none() {
            self.res.populate(Devres::new(dev, 0)?);
        }
        Ok(())
    }
}
