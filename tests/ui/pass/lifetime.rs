// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A lifetime of the struct, called as the accessor would call its own.

use kernel::{
    device::{Bound, Device},
    devres_lazy, new_lazy,
    prelude::*,
    testing::TestDevice,
};

struct Table(u32);

#[devres_lazy]
#[pin_data]
struct Queue<'a, 'b> {
    dev: &'a Device,
    entry: &'b u32,

    #[lazy(
        fn table -> Table,
        device = self.dev,
        init = Table(*self.entry),
        peek = table_if_mapped,
    )]
    table: Table,
}

impl<'a, 'b> Queue<'a, 'b> {
    fn new(dev: &'a Device, entry: &'b u32) -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            try_pin_init!(Self {
                dev,
                entry,
                table <- new_lazy!(),
            }),
            GFP_KERNEL,
        )
    }
}

/// The target is lent for as long as the object, and not as what that borrows.
fn shorter<'q>(queue: &'q Queue<'_, '_>, dev: &'q Device<Bound>) -> Result<&'q Table> {
    queue.table(dev)
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let entry = 42;
    let queue = Queue::new(&dev, &entry)?;

    assert_eq!(shorter(&queue, &bound)?.0, 42);
    bound.unbind();

    let bound = gpu.bind()?;
    assert_eq!(queue.table_if_mapped(&bound)?.map(|table| table.0), None);
    assert_eq!(shorter(&queue, &bound).err(), Some(ENXIO));
    Ok(())
}
