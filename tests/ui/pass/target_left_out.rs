// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Without a target it is the resource itself that is lent.

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

struct Table(u32);

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table,
        device = &self.dev,
        init = Table(42),
        peek = table_if_mapped,
    )]
    table: Table,

    #[lazy(
        device = &self.dev,
        init = (Table(1), Table(2)),
        fn pair
    )]
    pair: (Table, Table),
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            table <- new_lazy!(),
            pair <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    let table: &Table = queue.table(&bound)?;
    assert_eq!(table.0, 42);
    let table: Option<&Table> = queue.table_if_mapped(&bound)?;
    assert!(table.is_some());
    let (a, b) = queue.pair(&bound)?;
    assert_eq!((a.0, b.0), (1, 2));
    bound.unbind();
    Ok(())
}
