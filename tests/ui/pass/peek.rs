// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `peek` lends what is mapped, never maps, and knows the device.

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

struct Table(u32);

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Table(42),
        peek = table_if_mapped,
    )]
    table: Table,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            table <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    let mut other = TestDevice::new(c"gpu1")?;
    let other = other.bind()?;
    assert_eq!(queue.table_if_mapped(&other).err(), Some(EINVAL));
    assert!(queue.table_if_mapped(&bound)?.is_none());

    let table = queue.table(&bound)?;
    assert!(core::ptr::eq(
        queue.table_if_mapped(&bound)?.unwrap(),
        table
    ));
    assert_eq!(queue.table_if_mapped(&other).err(), Some(EINVAL));

    bound.unbind();
    let bound = gpu.bind()?;
    assert!(queue.table_if_mapped(&bound)?.is_none());
    assert_eq!(queue.table_if_mapped(&other).err(), Some(EINVAL));
    Ok(())
}
