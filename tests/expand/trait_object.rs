// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The target is a trait object, which the field derefs to.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

/// What can be asked of a table.
pub trait Ops {
    /// How many entries it has.
    fn entries(&self) -> usize;
}

/// A queue.
#[devres_lazy]
#[pin_data]
pub struct Queue {
    dev: ARef<Device>,

    /// The table.
    #[lazy(
        pub fn table -> dyn Ops + Send + Sync,
        device = &self.dev,
        init = todo!(),
    )]
    table: Box<dyn Ops + Send + Sync>,
}
