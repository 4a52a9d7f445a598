// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `#[repr(C)]` is kept: the first field is at the address of the object, and the order is that of
//! the declaration.

use core::mem::offset_of;
use kernel::{
    device::Device, devres::Lazy, devres_lazy, new_lazy, prelude::*, sync::aref::ARef,
    testing::TestDevice,
};

struct Table(u32);

#[devres_lazy]
#[pin_data]
#[repr(C)]
struct Queue {
    base: u64,

    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Table(42),
    )]
    table: Table,

    dev: ARef<Device>,
    flag: u8,
    #[pin]
    tail: u16,
}

const _: () = {
    assert!(offset_of!(Queue, base) == 0);
    assert!(offset_of!(Queue, table) == size_of::<u64>());
    assert!(offset_of!(Queue, dev) >= offset_of!(Queue, table) + size_of::<Lazy<Table>>());
    assert!(offset_of!(Queue, flag) == offset_of!(Queue, dev) + size_of::<ARef<Device>>());
    assert!(offset_of!(Queue, tail) == offset_of!(Queue, flag) + size_of::<u16>());
};

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(
        try_pin_init!(Queue {
            base: 7,
            table <- new_lazy!(),
            dev,
            flag: 8,
            tail: 9,
        }),
        GFP_KERNEL,
    )?;

    assert_eq!(queue.table(&bound)?.0, 42);
    // SAFETY: The first field of a `repr(C)` struct is at its address.
    assert_eq!(
        unsafe { core::ptr::from_ref(&*queue).cast::<u64>().read() },
        7
    );
    assert_eq!((queue.flag, queue.tail), (8, 9));
    bound.unbind();
    Ok(())
}
