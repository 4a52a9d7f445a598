// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `evict`: unmaps while the object is shared. The accessor and `peek` lend pins: of the resource,
//! of what it derefs to, and of a view.

use core::ptr::NonNull;
use kernel::{
    device::{Bound, Device},
    devres::{Map, Mapped},
    devres_lazy,
    prelude::*,
    sync::aref::ARef,
};

/// A table.
pub struct Table;

/// Maps the doorbell.
pub struct Doorbell;

// SAFETY: `doorbell` is a field of the owner, which outlives the mapping and does not move.
unsafe impl Map<Queue> for Doorbell {
    type Target = u32;
    type Keep = ();

    fn keep(_: &Queue) {}

    fn map(queue: &Queue, _dev: &Device<Bound>) -> Result<NonNull<u32>> {
        Ok(NonNull::from(&queue.doorbell))
    }

    unsafe fn unmap(_: &Queue, _keep: &(), _doorbell: NonNull<u32>) {}
}

/// A queue.
#[devres_lazy]
#[pin_data]
pub struct Queue {
    dev: ARef<Device>,
    doorbell: u32,

    /// The queue's translation table.
    #[lazy(
        pub fn table -> Table,
        device = &self.dev,
        init = Table,
        peek = table_if_mapped,
        revoke = unmap_table,
        evict = evict_table,
    )]
    table: Table,

    /// The queue's page directory.
    #[lazy(
        pub fn directory -> Table,
        device = &self.dev,
        init = KBox::new(Table, GFP_KERNEL)?,
        evict = evict_directory,
    )]
    directory: KBox<Table>,

    /// The queue's doorbell.
    #[lazy(
        pub fn doorbell -> u32,
        device = &self.dev,
        map = Doorbell,
        evict = evict_doorbell,
    )]
    view: Mapped<Self, Doorbell>,
}
