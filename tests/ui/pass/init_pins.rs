// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `init` is an initialiser that pins: the resource has a lock, and knows its own address.

use core::marker::PhantomPinned;
use kernel::{
    device::Device,
    devres_lazy, new_lazy, new_mutex,
    prelude::*,
    sync::{aref::ARef, Mutex},
    testing::TestDevice,
};

#[pin_data]
struct Table {
    address: usize,
    #[pin]
    entries: Mutex<u32>,
    #[pin]
    _pin: PhantomPinned,
}

impl Table {
    fn new(entries: u32) -> impl PinInit<Self, Error> {
        try_pin_init!(&this in Self {
            address: this.as_ptr().addr(),
            entries <- new_mutex!(entries),
            _pin: PhantomPinned,
        })
    }
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Table::new(42),
        revoke = unmap_table,
    )]
    table: Table,

    #[lazy(
        fn inline -> Table,
        device = &self.dev,
        init = try_pin_init!(&this in Table {
            address: this.as_ptr().addr(),
            entries <- new_mutex!(43),
            _pin: PhantomPinned,
        }),
    )]
    inline: Table,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let mut queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            table <- new_lazy!(),
            inline <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    for _ in 0..2 {
        let table = queue.table(&bound)?;
        assert_eq!(table.address, core::ptr::from_ref(table).addr());
        assert_eq!(*table.entries.lock(), 42);
        queue.as_mut().unmap_table();
    }

    let inline = queue.inline(&bound)?;
    assert_eq!(inline.address, core::ptr::from_ref(inline).addr());
    assert_eq!(*inline.entries.lock(), 43);
    bound.unbind();
    Ok(())
}
