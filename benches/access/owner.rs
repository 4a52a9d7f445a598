// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Owners with a lazily made number and nothing else: what populating and freeing them takes is the
//! slot's own part.

use super::object::{ByHand, Generated, Shmem};
use kernel::{
    device::{Bound, Device},
    devres::{Devres, Lazy},
    new_lazy, new_mutex,
    prelude::*,
    sync::{Mutex, SetOnce},
};

/// An owner.
pub(crate) trait Owner: Sized {
    /// The name in rows.
    const NAME: &'static str;

    /// Creates one that is empty.
    fn create() -> Result<Pin<KBox<Self>>>;

    /// Populates it.
    fn populate(&self, dev: &Device<Bound>) -> Result;
}

/// With a slot.
#[pin_data]
pub(crate) struct WithSlot {
    #[pin]
    number: Lazy<u64>,
}

impl Owner for WithSlot {
    const NAME: &'static str = <Generated as Shmem>::NAME;

    fn create() -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            pin_init!(Self {
                number <- new_lazy!("WithSlot::number"),
            }),
            GFP_KERNEL,
        )
    }

    fn populate(&self, dev: &Device<Bound>) -> Result {
        self.number.get_or_populate(dev, || Ok(0))?;
        Ok(())
    }
}

/// With the fields of the object by hand.
#[pin_data]
pub(crate) struct WithDevres {
    number: SetOnce<Devres<u64>>,
    #[pin]
    lock: Mutex<()>,
}

impl Owner for WithDevres {
    const NAME: &'static str = <ByHand as Shmem>::NAME;

    fn create() -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            pin_init!(Self {
                number: SetOnce::new(),
                lock <- new_mutex!((), "WithDevres::lock"),
            }),
            GFP_KERNEL,
        )
    }

    fn populate(&self, dev: &Device<Bound>) -> Result {
        let _guard = self.lock.lock();
        if self.number.as_ref().is_none() {
            self.number.populate(Devres::new(dev, 0)?);
        }
        Ok(())
    }
}
