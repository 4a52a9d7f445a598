// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `?` in `init` returns from the accessor, and nothing is mapped.

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};
use std::cell::Cell;

struct Table(u32);

impl Table {
    fn new(len: Option<u32>) -> Result<Self> {
        Ok(Self(len.ok_or(EAGAIN)?))
    }
}

/// One shot: it fails at first.
struct Len(Cell<Option<u32>>);

impl Len {
    fn next(&self) -> Option<u32> {
        self.0.replace(Some(42))
    }
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,
    len: Len,

    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Table(Table::new(self.len.next())?.0 + u32::try_from(i64::from(1))?),
    )]
    table: Table,

    #[lazy(
        fn shadow -> Table,
        device = &self.dev,
        init = Table::new(self.len.next().filter(|len| *len < 42)),
    )]
    shadow: Table,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            len: Len(Cell::new(None)),
            table <- new_lazy!(),
            shadow <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    assert_eq!(queue.table(&bound).err(), Some(EAGAIN));
    assert!(queue.table.try_access().is_none());
    assert_eq!(queue.table(&bound)?.0, 43);

    // Without the `?` it is an initialiser that fails.
    assert_eq!(queue.shadow(&bound).err(), Some(EAGAIN));
    assert_eq!(queue.shadow(&bound).err(), Some(EAGAIN));
    bound.unbind();
    Ok(())
}
