// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The target is what the resource derefs to: in one step, in two, and to something without a size.

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};
use std::{ops::Deref, sync::Arc};

struct Table(u32);

struct Owned(Table);

impl Deref for Owned {
    type Target = Table;

    fn deref(&self) -> &Table {
        &self.0
    }
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Owned(Table(42)),
        peek = table_if_mapped,
    )]
    table: Owned,

    #[lazy(fn shared -> Table, device = &self.dev, init = Arc::new(Owned(Table(43))))]
    shared: Arc<Owned>,

    #[lazy(fn slice -> [u32], device = &self.dev, init = vec![44])]
    slice: Vec<u32>,

    #[lazy(fn name -> str, device = &self.dev, init = self.dev.name().to_str()?.to_owned())]
    name: String,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            table <- new_lazy!(),
            shared <- new_lazy!(),
            slice <- new_lazy!(),
            name <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    let table: &Table = queue.table(&bound)?;
    assert_eq!(table.0, 42);
    let table: Option<&Table> = queue.table_if_mapped(&bound)?;
    assert!(table.is_some());
    assert_eq!(queue.shared(&bound)?.0, 43);
    assert_eq!(queue.slice(&bound)?, [44]);
    assert_eq!(queue.name(&bound)?, "gpu0");
    bound.unbind();
    Ok(())
}
