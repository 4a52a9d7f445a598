// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A deprecated field has deprecated accessors. What is generated does not complain, nor does who
//! constructs the object.

#![deny(warnings)]

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

struct Table(u32);

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[deprecated]
    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Table(1),
        peek = table_if_mapped,
        try_access = try_table,
        revoke = unmap_table,
    )]
    table: Table,

    #[cfg_attr(all(), deprecated(since = "7.3", note = "use the other one"))]
    #[lazy(fn ring -> Table, device = &self.dev, init = Table(2))]
    ring: Table,

    #[cfg_attr(any(), deprecated)]
    #[lazy(fn current -> Table, device = &self.dev, init = Table(3))]
    current: Table,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let mut queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            table <- new_lazy!(),
            ring <- new_lazy!(),
            current <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    // Each is deprecated, or the expectation is not met.
    #[expect(deprecated)]
    let table = queue.table(&bound)?.0;
    #[expect(deprecated)]
    let is_mapped = queue.table_if_mapped(&bound)?.is_some();
    #[expect(deprecated)]
    let is_accessible = queue.try_table().is_some();
    #[expect(deprecated)]
    queue.as_mut().unmap_table();
    #[expect(deprecated)]
    let ring = queue.ring(&bound)?.0;

    assert_eq!((table, ring, queue.current(&bound)?.0), (1, 2, 3));
    assert!(is_mapped && is_accessible);
    bound.unbind();
    Ok(())
}
