// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The runtime under another name.

extern crate kernel as dl;

use dl::{device::Device, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice};

struct Table(u32);

#[dl::devres_lazy(crate = dl)]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Table(42),
        peek = table_if_mapped,
        try_access = try_table,
        revoke = unmap_table,
    )]
    table: Table,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let mut queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            table <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    assert_eq!(queue.table(&bound)?.0, 42);
    assert!(queue.table_if_mapped(&bound)?.is_some());
    assert!(queue.try_table().is_some());
    queue.as_mut().unmap_table();
    assert!(queue.try_table().is_none());
    bound.unbind();
    Ok(())
}
