// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `Self` in the type of a field, in the target, and in the expressions.

use core::{marker::PhantomData, ops::Deref};
use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

trait Layout {
    type Entry: Send + Sync + 'static;
}

struct Table<O: Layout>(O::Entry, PhantomData<fn() -> O>);

impl<O: Layout> Deref for Table<O> {
    type Target = O::Entry;

    fn deref(&self) -> &O::Entry {
        &self.0
    }
}

#[devres_lazy]
#[pin_data]
struct Queue<T: 'static> {
    dev: ARef<Device>,
    _phantom: PhantomData<fn() -> T>,

    #[lazy(
        fn table -> <Self as Layout>::Entry,
        device = Self::device(self),
        init = Table::<Self>(Self::ENTRY, PhantomData),
        peek = table_if_mapped,
        try_access = try_table,
    )]
    table: Table<Self>,
}

impl<T> Layout for Queue<T> {
    type Entry = u32;
}

impl<T: 'static> Queue<T> {
    const ENTRY: u32 = 42;

    fn device(&self) -> &Device {
        &self.dev
    }

    fn new(dev: ARef<Device>) -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            try_pin_init!(Self {
                dev,
                _phantom: PhantomData,
                table <- new_lazy!("Queue::table"),
            }),
            GFP_KERNEL,
        )
    }
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let queue = Queue::<String>::new(bound.device())?;

    assert_eq!(queue.table(&bound)?, &42);
    assert_eq!(queue.table_if_mapped(&bound)?, Some(&42));
    assert_eq!(queue.try_table().map(|table| **table), Some(42));
    bound.unbind();
    Ok(())
}
