// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Fields without documentation: what is generated is documented nevertheless.

#![deny(missing_docs)]

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

/// A table.
pub struct Table(u32);

/// A queue.
#[devres_lazy]
#[pin_data]
pub struct Queue {
    dev: ARef<Device>,

    #[lazy(
        pub fn table -> Table,
        device = &self.dev,
        init = Table(42),
        peek = table_if_mapped,
        try_access = try_table,
        revoke = unmap_table,
    )]
    table: Table,

    #[doc(hidden)]
    #[lazy(pub fn shadow, device = &self.dev, init = Table(43))]
    shadow: Table,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let mut queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            table <- new_lazy!(),
            shadow <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    assert_eq!(queue.table(&bound)?.0, 42);
    assert_eq!(queue.shadow(&bound)?.0, 43);
    assert!(queue.table_if_mapped(&bound)?.is_some());
    assert!(queue.try_table().is_some());
    queue.as_mut().unmap_table();
    bound.unbind();
    Ok(())
}
