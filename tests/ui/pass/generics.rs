// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Type parameters with bounds, which the resource and its target depend on.

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};
use std::{fmt::Debug, ops::Deref};

trait Format: Send + Sync + 'static {
    type Entry: Copy + Debug + PartialEq + Send + Sync + 'static;

    const FIRST: Self::Entry;
}

struct Wide;

impl Format for Wide {
    type Entry = u64;

    const FIRST: u64 = 1 << 40;
}

struct Table<F: Format>([F::Entry; 4]);

impl<F: Format> Deref for Table<F> {
    type Target = [F::Entry; 4];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

#[devres_lazy]
#[pin_data]
struct Queue<F: Format, T: Clone + Into<u32>> {
    dev: ARef<Device>,
    len: T,

    #[lazy(
        fn table -> [F::Entry; 4],
        device = &self.dev,
        init = Table::<F>([F::FIRST; 4]),
        peek = table_if_mapped,
        try_access = try_table,
        revoke = unmap_table,
    )]
    table: Table<F>,
}

impl<F: Format, T: Clone + Into<u32>> Queue<F, T> {
    fn new(dev: ARef<Device>, len: T) -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            try_pin_init!(Self {
                dev,
                len,
                table <- new_lazy!("Queue::table"),
            }),
            GFP_KERNEL,
        )
    }
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let mut queue = Queue::<Wide, u8>::new(bound.device(), 4)?;

    assert_eq!(queue.table_if_mapped(&bound)?, None);
    assert_eq!(queue.table(&bound)?.len() as u32, queue.len.into());
    assert_eq!(queue.table_if_mapped(&bound)?, Some(&[1 << 40; 4]));
    assert_eq!(queue.try_table().map(|table| table.0), Some([1 << 40; 4]));

    queue.as_mut().unmap_table();
    assert!(queue.try_table().is_none());

    queue.table(&bound)?;
    bound.unbind();
    assert!(queue.try_table().is_none());
    Ok(())
}
