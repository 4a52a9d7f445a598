// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The whole struct, its attribute and its constructor come out of a `macro_rules!`.

use core::ptr::NonNull;
use kernel::{
    device::{Bound, Device},
    devres::{Map, Mapped},
    devres_lazy, new_lazy,
    prelude::*,
    sync::aref::ARef,
    testing::TestDevice,
};

macro_rules! queue {
    () => {
        struct Table(u32);

        #[devres_lazy]
        #[pin_data]
        struct Queue {
            dev: ARef<Device>,
            len: u32,

            #[lazy(
                fn table -> Table,
                device = &self.dev,
                init = {
                    let _: &Device<Bound> = dev;
                    Table(self.len)
                },
                peek = table_if_mapped,
                try_access = try_table,
                revoke = unmap_table,
            )]
            table: Table,

            #[lazy(fn view -> u32, device = &self.dev, map = View)]
            view: Mapped<Self, View>,
        }

        impl Queue {
            fn new(dev: ARef<Device>) -> Result<Pin<KBox<Self>>> {
                KBox::pin_init(
                    try_pin_init!(Self {
                        dev,
                        len: 42,
                        table <- new_lazy!(),
                        view <- new_lazy!(),
                    }),
                    GFP_KERNEL,
                )
            }
        }

        struct View;

        // SAFETY: `len` is a field of the owner, which outlives the mapping and does not move.
        unsafe impl Map<Queue> for View {
            type Target = u32;
            type Keep = ();

            fn keep(_: &Queue) {}

            fn map(queue: &Queue, _: &Device<Bound>) -> Result<NonNull<u32>> {
                Ok(NonNull::from(&queue.len))
            }

            unsafe fn unmap(_: &Queue, _: &(), _: NonNull<u32>) {}
        }
    };
}

queue!();

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let mut queue = Queue::new(bound.device())?;

    assert!(queue.table_if_mapped(&bound)?.is_none());
    assert_eq!(queue.table(&bound)?.0, 42);
    assert_eq!(queue.view(&bound)?, &42);
    assert!(queue.try_table().is_some());
    queue.as_mut().unmap_table();
    assert!(queue.try_table().is_none());
    bound.unbind();
    Ok(())
}
